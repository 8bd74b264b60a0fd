"""Numbers and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """`.53 [.41, .64]`; without the interval if it is not known."""
    return number(value) if low is None or high is None else f"{number(value)} [{number(low)}, {number(high)}]"


def spread(value: float | None, deviation: float | None) -> str:
    """`.53 ± .04`."""
    return f"{number(value)} ± {number(deviation)}"


def number(value: float | None) -> str:
    """Two decimals without the zero before the point; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def median(values: Iterable[float | None]) -> str:
    """The median of the known values in two digits; empty if there is none."""
    known = [value for value in values if value is not None]
    return f"{np.median(known):.2g}" if known else ""
