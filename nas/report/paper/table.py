"""A table of a paper: a name and its cells in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.report.wording import interval
from nas.results import Interval

MISSING = "\u2013"


@dataclass(frozen=True)
class Cell:
    """A number, and below it in small type its interval or deviation."""

    text: str
    below: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table; each row is a name with its cells. The columns from number `scores` on are scores under attacks."""

    label: str
    caption: Sequence[str]  # sentences
    head: str  # of the names
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    scores: int | None = None


def percent(fraction: float | None) -> str:
    return MISSING if fraction is None else f"{100 * fraction:.1f}"


def accuracy_cell(accuracy: float | None, bounds: Interval | None = None, bold: bool = False) -> Cell:
    return Cell(percent(accuracy), "" if bounds is None else interval(bounds), bold)
