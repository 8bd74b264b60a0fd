"""The contract of a benchmark, and the limits that its figures keep to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nas.core.io.records import Json


@dataclass(frozen=True)
class Judged:
    """A figure, its limit, and whether the figure keeps to the limit."""

    figure: str
    value: float
    at_most: float | None
    at_least: float | None
    kept: bool
    target: float | None
    reason: str | None


@dataclass(frozen=True)
class Limit:
    """An upper or lower bound of a figure.

    `figure` is its path in the result, with dots between keys. `target` is the bound that was planned, if the figure
    misses it; `reason` says why.
    """

    figure: str
    at_most: float | None = None
    at_least: float | None = None
    target: float | None = None
    reason: str = ""

    def judged(self, result: Mapping[str, Any]) -> Judged | None:
        """The figure beside its limit; None if the result does not have it."""
        value: Any = result
        for key in self.figure.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        low_enough = self.at_most is None or value <= self.at_most  # false for NaN
        high_enough = self.at_least is None or value >= self.at_least
        kept = low_enough and high_enough
        return Judged(self.figure, value, self.at_most, self.at_least, kept, self.target, self.reason or None)


class Bench(ABC):
    """One benchmark: made without arguments and run once by `nas bench NAME`.

    The first line of a subclass's docstring is what `nas list benchmarks` prints. `limits` hold on a machine without
    other work.
    """

    name: ClassVar[str]
    limits: ClassVar[tuple[Limit, ...]] = ()

    @abstractmethod
    def run(self, report: Callable[[str], None]) -> Json:
        """Measure, and return what `--json` prints; `report` takes one line of progress at a time."""

    def judged(self, result: Mapping[str, Any]) -> list[Judged]:
        """The figures of a result that have a limit, each with its limit."""
        return [judged for limit in self.limits if (judged := limit.judged(result)) is not None]

    def missed(self, result: Mapping[str, Any]) -> list[str]:
        """The names of the figures that are beyond their limits."""
        return [judged.figure for judged in self.judged(result) if not judged.kept]


def text(judged: Judged) -> str:
    """A line for people: `ratios.eproxy: 12.4, at most 13 (the target was 12: its barriers ...)`."""
    bounds = {"at least": judged.at_least, "at most": judged.at_most}
    limits = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
    line = f"{judged.figure}: {judged.value:g}, {limits}"
    if judged.target is not None:
        line += f" (the target was {judged.target:g}: {judged.reason})"
    return line if judged.kept else f"{line}: MISSED"
