"""Base of model-based strategies that choose from a whole small space, or from mutations and draws of a large one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from nas.core.config.conditions import Condition
from nas.search_spaces.base import SearchSpace
from nas.strategies.model_based import ModelBasedStrategy, all_known
from nas.strategies.option_error import OptionError
from nas.strategies.predictors.adjacency import encoder

Features = Callable[[Sequence[Any]], np.ndarray]


@dataclass
class PoolOptions:
    """The settings that decide which architectures are candidates, and when."""

    init: int = 10  # random architectures at the start
    batch: int = 10  # proposed between two fits
    whole: int = 20_000  # in a space of at most this many architectures, all are candidates
    candidates: int = 500  # in a larger space: new mutations, and half as many random architectures
    parents: int = 10  # how many of the best observed are mutated

    def check(self) -> None:
        """Raises InputError if one of the numbers is less than 1."""
        for key in ("init", "batch", "candidates", "parents"):
            if getattr(self, key) < 1:
                raise OptionError(f"Expected {key} >= 1 but got {getattr(self, key)}", key)


def _is_enumerated(space: Any, options: PoolOptions) -> bool:
    """Whether the space is so small that all its architectures are candidates."""
    return hasattr(space, "__len__") and space.__len__() <= options.whole  # len() itself fails beyond 2^63


class EnumeratedSpace(NamedTuple):
    """Every class of a space, with its features."""

    archs: list[Any]  # the representatives
    rows: dict[str, int]
    features: np.ndarray  # (classes, d)


SAMPLED = Condition(
    lambda options, space: not _is_enumerated(space, options),
    lambda options: f"in a space of at most strategy.whole={options.whole} architectures, all of which are candidates",
)


class PoolStrategy(ModelBasedStrategy[Any]):
    """In a small space every class not proposed yet is a candidate; in a larger one, mutations of the best observed and
    random architectures. An architecture that lacks the value of a feature (NaN) is no candidate, and the model does
    not learn from it.
    """

    space: SearchSpace[Any]

    def begin(self) -> None:
        super().begin()
        self._vectors: dict[str, np.ndarray] = {}  # by class; a cache, not part of the state
        self._possible: np.ndarray | None = None  # of all classes of a small space; a cache as well

    def _encoder(self) -> Features:
        """A pure function from architectures to features (n, d), by default their adjacency encoding.

        It is the same function at each call, as caches use it as key.
        """
        whole: SearchSpace[Any] = getattr(self.space, "whole", self.space)
        return encoder(type(whole))

    def _usable(self) -> tuple[list[Any], np.ndarray]:
        """As in the base; which classes of a small space can be candidates is found out once."""
        every = self._enumerated()
        if every is None:
            return super()._usable()
        if self._possible is None:
            allowed = np.array(self._allowed(every.archs), dtype=bool)
            self._possible = allowed & all_known(self._filled(every.features))
        left = self._possible.copy()
        left[[every.rows[key] for key in self.asked]] = False
        return [every.archs[row] for row in np.flatnonzero(left)], self._filled(every.features[left])

    def _candidates(self) -> tuple[list[Any], np.ndarray]:
        """Of a large space."""
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
            self._vectors.update(zip(missing, self._encoder()(list(missing.values()))))
        return self._filled(np.stack([self._vectors[key] for key in keys]))

    def _filled(self, features: np.ndarray) -> np.ndarray:
        """Features as the model gets them; a missing value is NaN."""
        return features

    def _enumerated(self) -> EnumeratedSpace | None:
        """All classes of the space if it is small enough, else None."""
        if not _is_enumerated(self.space, self.options):
            return None
        return _enumerate(type(self.space), self._encoder())


@lru_cache(maxsize=2)
def classes_of(kind: type[SearchSpace[Any]]) -> tuple[list[Any], dict[str, int]]:
    """The representatives of the classes of a space, and the row of each."""
    space = kind()
    archs = list({space.canonical(arch): None for arch in space})
    return archs, {str(arch): row for row, arch in enumerate(archs)}


@lru_cache(maxsize=2)
def _enumerate(kind: type[SearchSpace[Any]], features: Features) -> EnumeratedSpace:
    """Computed once per process: spaces have no state, and the function of features is pure."""
    archs, rows = classes_of(kind)
    return EnumeratedSpace(archs, rows, features(archs))
