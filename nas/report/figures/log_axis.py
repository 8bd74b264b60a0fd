"""Logarithmic axes with plain numbers at their ticks: matplotlib's own labels are formulas, which are switched off."""

from __future__ import annotations

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter


class _PlainLabels(LogFormatter):
    """Labels the ticks that matplotlib would label: those within a decade only if the axis is short."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make one axis logarithmic, with plain numbers at its large and small ticks."""
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(_PlainLabels())
    axis.set_minor_formatter(_PlainLabels())
