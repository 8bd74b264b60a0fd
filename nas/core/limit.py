"""A limit of a search: a bound on a quantity that is known only after an architecture was evaluated."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Limit:
    """A bound such as `edgegpu_latency<=4`; `name` is that of the metric."""

    name: str
    comparison: str  # of COMPARE
    bound: float

    @property
    def upper(self) -> bool:
        """Whether smaller values are the feasible ones."""
        return self.comparison.startswith("<")

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.bound:g}"


@dataclass(frozen=True)
class Limits:
    """The limits of a search, and whether it also wants the limited quantities to be small beyond them.

    Architectures are ranked by fitness, those outside a limit after all others. With `joint` the ranks of the limited
    quantities are added to that of the fitness (joint=1 of Lukasik et al., ECCV 2022, arXiv:2203.08734).
    """

    parts: tuple[Limit, ...] = ()
    joint: bool = False

    def __bool__(self) -> bool:
        return bool(self.parts)

    def hold(self, metrics: Mapping[str, float | None]) -> bool:
        """Whether all limits hold; one without a value does not."""
        values = [(one, metrics.get(one.name)) for one in self.parts]
        return all(value is not None and COMPARE[one.comparison](value, one.bound) for one, value in values)

    def values(self, metrics: Mapping[str, float]) -> list[float]:
        """The limited quantities, in the order of the limits. Raises KeyError if one has no value."""
        return [metrics[one.name] for one in self.parts]

    def feasible(self, values: np.ndarray) -> np.ndarray:
        """(n,): whether all limits hold for the quantities (n, limits)."""
        held = [COMPARE[one.comparison](column, one.bound) for one, column in zip(self.parts, values.T)]
        return np.all(held, axis=0) if held else np.ones(len(values), dtype=bool)

    def excess(self, values: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """(n,): how far outside the limits the quantities (n, limits) are, in units (limits,) of each, summed up."""
        outside = np.zeros(len(values))
        for one, column, scale in zip(self.parts, values.T, unit):
            outside += np.maximum(column - one.bound if one.upper else one.bound - column, 0.0) / (scale or 1.0)
        return outside

    def order(self, worth: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The rows (n,), the best first, by their worth (n,), more is better, and their quantities (n, limits)."""
        rank = _ranks(-worth)
        if self.joint:
            for one, column in zip(self.parts, values.T):
                rank = rank + _ranks(column if one.upper else -column)
        return np.lexsort((rank, ~self.feasible(values)))

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts)) or "no limits"


def _ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, 0 for the smallest; equal values have equal ranks."""
    return np.searchsorted(np.sort(values), values)
