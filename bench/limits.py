"""What the figures of a benchmark keep to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Judged:
    """A figure beside its limit, and whether it keeps to it."""

    figure: str
    value: float
    at_most: float | None
    at_least: float | None
    kept: bool
    target: float | None
    reason: str | None


@dataclass(frozen=True)
class Limit:
    """A bound of a figure, above or below.

    `figure` is its path in the result, with dots between keys. `target` is what it was meant to keep to where it misses
    that; `reason` says why it does.
    """

    figure: str
    at_most: float | None = None
    at_least: float | None = None
    target: float | None = None
    reason: str = ""

    def judged(self, result: Mapping[str, Any]) -> Judged | None:
        """The figure beside its limit; None where the result lacks it."""
        value: Any = result
        for key in self.figure.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        low_enough = self.at_most is None or value <= self.at_most  # NaN is not
        high_enough = self.at_least is None or value >= self.at_least
        kept = low_enough and high_enough
        return Judged(self.figure, value, self.at_most, self.at_least, kept, self.target, self.reason or None)


def text(judged: Judged) -> str:
    """A line for people: `ratios.eproxy: 12.4, at most 13 (target 12 missed: its barriers ...)`."""
    bounds = {"at least": judged.at_least, "at most": judged.at_most}
    said = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
    line = f"{judged.figure}: {judged.value:g}, {said}"
    if judged.target is not None:
        line += f" (the target was {judged.target:g}: {judged.reason})"
    return line if judged.kept else f"{line}: MISSED"
