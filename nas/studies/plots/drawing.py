"""What the pictures of studies have in common: their style, and files that are the same whenever they are drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nas.report.palette import INK, SOFT

# By suffix: the entry of a file that would make the same picture another file.
DATES = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}
SUFFIXES = tuple(DATES)


def new_figure(width: float, height: float, **settings: Any) -> Figure:
    """An empty figure of this size in inches."""
    figure = Figure(figsize=(width, height), facecolor="white", **settings)
    FigureCanvasAgg(figure)
    return figure


def picture_file(draw: Callable[[], Figure], kind: str, name: str) -> bytes:
    """The figure as a file of one of `SUFFIXES`; `name` is that of the sort of picture."""
    style: Any = {"font.size": 9.5, "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": name}
    with rc_context(style):
        file = io.BytesIO()
        draw().savefig(file, format=kind[1:], dpi=200, metadata={DATES[kind]: None})
    return file.getvalue()


def plain_axes(axes: Any) -> None:
    """Axes of which only the lower one is drawn, below what they show."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(length=0, colors=INK)
    axes.set_axisbelow(True)
