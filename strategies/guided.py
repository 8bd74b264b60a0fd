"""Predictor-guided search, with any predictor from features of architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nas.core.config.conditions import Condition, chosen
from nas.core.errors import InputError
from nas.core.io.checkpoint import State
from nas.core.suggestions import suggest
from nas.search_spaces.base import SearchSpace
from nas.strategies.acquisition import ACQUISITIONS, acquisition, expected_improvement
from nas.strategies.model_based import ModelBasedStrategy
from nas.strategies.predictors import PREDICTORS, Predictor

Features = Callable[[Sequence[Any]], np.ndarray]
RULES = 2  # version of the rules by which proposals are made; releases before 0.2.0 had version 1


@dataclass
class GuidedOptions:
    predictor: str = "forest"  # from `nas list predictors`
    acquisition: str = "ucb"  # or ei, mean, thompson
    kappa: float = 0.5  # of ucb: mean + kappa · sd
    init: int = 20  # random architectures at the start
    batch: int = 10  # proposed between two fits
    whole: int = 20_000  # in a space of at most this many architectures, all are candidates
    candidates: int = 500  # in a larger space: new mutations, and half as many random architectures
    parents: int = 10  # how many of the best observed are mutated

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


def _is_enumerated(space: Any, options: GuidedOptions) -> bool:
    """Whether the space is so small that all its architectures are candidates."""
    return hasattr(space, "__len__") and space.__len__() <= options.whole  # len() itself fails beyond 2^63


class EnumeratedSpace(NamedTuple):
    """Every class of a space, with its features."""

    archs: list[Any]  # the representatives
    rows: dict[str, int]
    features: np.ndarray  # (classes, d)


_sampled = Condition(
    lambda options, space: not _is_enumerated(space, options),
    lambda options: f"in a space of at most strategy.whole={options.whole} architectures, all of which are candidates",
)


class Guided(ModelBasedStrategy[Any]):
    """Proposes the candidates that a predictor, fitted to the features and fitness of all observations, prefers.

    In a small space every class not proposed yet is a candidate; in a larger one, mutations of the best observed and
    random architectures. `nas.strategies.acquisition` has the acquisition functions of a prediction (mean, sd). An
    architecture that lacks the value of a feature (NaN) is no candidate, and the predictor does not learn from it.
    Source: after White et al., NeurIPS 2021 (arXiv:2104.01177), who compare predictors inside such a search; the
    defaults were chosen on the robustness dataset.

    A state saved by a version before 0.2.0 continues by that version's rules: the expected improvement instead of its
    logarithm, and 0 for a feature without a value.
    """

    name: ClassVar[str] = "guided"
    references: ClassVar[tuple[str, ...]] = ("white2021predictors",)
    Options: ClassVar[type] = GuidedOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "kappa": chosen("strategy", "acquisition", "ucb"),
        "candidates": _sampled,
        "parents": _sampled,
    }
    uses: ClassVar[frozenset[str]] = frozenset({"features"})
    space: SearchSpace[Any]

    def begin(self) -> None:
        super().begin()
        self.rules = RULES
        self._vectors: dict[str, np.ndarray] = {}  # by class; a cache, not part of the state

    def _candidates(self) -> tuple[list[Any], np.ndarray]:
        every = self._enumerated()
        if every is not None:
            new = np.ones(len(every.archs), dtype=bool)
            new[[every.rows[key] for key in self.asked]] = False
            return [every.archs[row] for row in np.flatnonzero(new)], self._filled(every.features[new])
        count = self.options.candidates
        parents = self._ranking()[: self.options.parents]
        mutations = self._mutations(parents, -(-count // len(parents)), count)
        for _ in range(count // 2):
            arch = self.space.sample(self.rng)
            if (key := self._key(arch)) not in self.asked:
                mutations.setdefault(key, arch)
        archs = list(mutations.values())
        return archs, self._features(archs) if archs else np.empty((0, 0))

    def _features(self, archs: list[Any]) -> np.ndarray:
        keys = [self._key(arch) for arch in archs]
        every = self._enumerated()
        if every is not None:
            return self._filled(every.features[[every.rows[key] for key in keys]])
        missing = {key: self._class(arch) for key, arch in zip(keys, archs) if key not in self._vectors}
        if missing:
            assert self.hints.features is not None
            self._vectors.update(zip(missing, self.hints.features(list(missing.values()))))
        return self._filled(np.stack([self._vectors[key] for key in keys]))

    def _filled(self, features: np.ndarray) -> np.ndarray:
        """Features by the rules of this search: a missing value is NaN, or 0 in a search of an older version."""
        return features if self.rules > 1 else np.nan_to_num(features)

    def _enumerated(self) -> EnumeratedSpace | None:
        """All classes of the space if it is small enough, else None."""
        if not _is_enumerated(self.space, self.options):
            return None
        assert self.hints.features is not None
        return _enumerate(type(self.space), self.hints.features)

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
        self.rules = state.get("rules", 1)  # not saved by versions before 0.2.0


@lru_cache(maxsize=2)
def _classes(kind: type[SearchSpace[Any]]) -> tuple[list[Any], dict[str, int]]:
    """The representatives of the classes of a space, and the row of each."""
    space = kind()
    archs = list({space.canonical(arch): None for arch in space})
    return archs, {str(arch): row for row, arch in enumerate(archs)}


@lru_cache(maxsize=2)
def _enumerate(kind: type[SearchSpace[Any]], features: Features) -> EnumeratedSpace:
    """Computed once per process: spaces have no state, and the function of features is pure."""
    archs, rows = _classes(kind)
    return EnumeratedSpace(archs, rows, features(archs))
