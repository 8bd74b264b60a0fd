"""Predictor-guided search: any predictor over the features of architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nas.core.config.conditions import Condition, chosen
from nas.core.errors import InputError
from nas.core.io.checkpoint import State
from nas.core.registry import suggest
from nas.search_spaces.base import SearchSpace
from nas.strategies.acquisition import ACQUISITIONS, acquisition, expected_improvement
from nas.strategies.base import Goal, Hints
from nas.strategies.modelled import Modelled
from nas.strategies.predictors import PREDICTORS, Predictor

Features = Callable[[Sequence[Any]], np.ndarray]
RULES = 2  # of how proposals are made; 1 are those of versions before 0.2.0


@dataclass
class GuidedOptions:
    predictor: str = "forest"
    acquisition: str = "ucb"  # or ei, mean, thompson
    kappa: float = 0.5  # of ucb: mean + kappa · sd
    init: int = 20  # random architectures at the start
    batch: int = 10  # asked between two fits
    whole: int = 20_000  # a space of at most so many architectures is a candidate as a whole
    candidates: int = 500  # in a larger space: new mutations of the best told, and random ones to half as many more
    parents: int = 10  # the best told, which are mutated

    def check(self) -> None:
        PREDICTORS.get(self.predictor)
        if self.acquisition not in ACQUISITIONS:
            raise InputError(
                f"Expected an acquisition but got {self.acquisition!r}"
                f"{suggest(self.acquisition, list(ACQUISITIONS))}; available: {', '.join(ACQUISITIONS)}."
            )
        for key in ("init", "batch", "candidates", "parents"):
            if getattr(self, key) < 1:
                raise InputError(f"Expected {key} >= 1 but got {getattr(self, key)}; set strategy.{key}.")


def _is_whole(space: Any, options: GuidedOptions) -> bool:
    """Whether the space is small enough to be a candidate as a whole."""
    return hasattr(space, "__len__") and len(space) <= options.whole


class Whole(NamedTuple):
    """Every class of a space, described."""

    archs: list[Any]  # the representatives
    rows: dict[str, int]
    features: np.ndarray  # (classes, d)


_sampled = Condition(
    lambda options, space: not _is_whole(space, options),
    lambda options: f"in a space of at most strategy.whole={options.whole} architectures, all of which are candidates",
)


class Guided(Modelled[Any]):
    """Asks what a predictor, fitted to features and fitness of everything told, thinks best.

    In a small space every class not asked yet is a candidate; in a larger one, mutations of the best told and random
    architectures. The acquisition functions of a prediction (mean, sd) stand in `nas.strategies.acquisition`.
    An architecture that a feature has no value of (NaN) is neither proposed for its prediction nor learnt from.
    Source: after White et al., NeurIPS 2021 (arXiv:2104.01177), who compare predictors inside such a search; the
    defaults were chosen on the robustness dataset.

    A state saved by a version before 0.2.0 goes on by its rules: the expected improvement itself, and 0 for a feature
    that has no value.
    """

    name: ClassVar[str] = "guided"
    Options: ClassVar[type] = GuidedOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "kappa": chosen("strategy", "acquisition", "ucb"),
        "candidates": _sampled,
        "parents": _sampled,
    }
    uses: ClassVar[frozenset[str]] = frozenset({"features"})
    space: SearchSpace[Any]

    def __init__(
        self,
        space: SearchSpace[Any],
        goals: tuple[Goal, ...],
        seed: int,
        options: Any = None,
        hints: Hints | None = None,
    ) -> None:
        super().__init__(space, goals, seed, options, hints)
        self.rules = RULES
        self._vectors: dict[str, np.ndarray] = {}  # by class; a memory of pure values, no part of the state

    def _candidates(self) -> tuple[list[Any], np.ndarray]:
        whole = self._whole()
        if whole is not None:
            new = np.ones(len(whole.archs), dtype=bool)
            new[[whole.rows[key] for key in self.asked]] = False
            return [whole.archs[row] for row in np.flatnonzero(new)], self._filled(whole.features[new])
        count = self.options.candidates
        parents = self._ranking()[: self.options.parents]
        found = self._mutations(parents, -(-count // len(parents)), count)
        for _ in range(count // 2):
            arch = self.space.sample(self.rng)
            if (key := self._key(arch)) not in self.asked:
                found.setdefault(key, arch)
        archs = list(found.values())
        return archs, self._describe(archs) if archs else np.empty((0, 0))

    def _describe(self, archs: list[Any]) -> np.ndarray:
        keys = [self._key(arch) for arch in archs]
        whole = self._whole()
        if whole is not None:
            return self._filled(whole.features[[whole.rows[key] for key in keys]])
        missing = {key: self._class(arch) for key, arch in zip(keys, archs) if key not in self._vectors}
        if missing:
            assert self.hints.features is not None
            self._vectors.update(zip(missing, self.hints.features(list(missing.values()))))
        return self._filled(np.stack([self._vectors[key] for key in keys]))

    def _filled(self, features: np.ndarray) -> np.ndarray:
        """Features as the rules have them: a missing one is NaN, and was 0."""
        return features if self.rules > 1 else np.nan_to_num(features)

    def _whole(self) -> Whole | None:
        """All classes of the space where it is small enough."""
        if not _is_whole(self.space, self.options):
            return None
        assert self.hints.features is not None
        return _described(type(self.space), self.hints.features)

    def _model(self, seed: int) -> Predictor:
        return PREDICTORS.get(self.options.predictor)(seed)

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        options = self.options
        if options.acquisition == "ei" and self.rules == 1:
            return expected_improvement(mean, sd, best)
        return acquisition(options.acquisition, mean, sd, best, options.kappa, noise)

    def state_dict(self) -> State:
        return {**super().state_dict(), "rules": self.rules}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.rules = state.get("rules", 1)  # versions before 0.2.0 did not say


@lru_cache(maxsize=2)
def _classes(kind: type[SearchSpace[Any]]) -> tuple[list[Any], dict[str, int]]:
    """The representatives of a space and their numbers."""
    space = kind()
    archs = list({space.canonical(arch): None for arch in space})
    return archs, {str(arch): row for row, arch in enumerate(archs)}


@lru_cache(maxsize=2)
def _described(kind: type[SearchSpace[Any]], features: Features) -> Whole:
    """Once per process for the same function of features (spaces hold no state, and features are pure)."""
    archs, rows = _classes(kind)
    return Whole(archs, rows, features(archs))
