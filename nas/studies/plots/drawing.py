"""The style of the pictures of studies, and their files: the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from nas.report.palette import INK, SOFT

# By suffix: the metadata that would change the file of the same picture.
DATES = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}
SUFFIXES = tuple(DATES)


def picture_file(draw: Callable[[], Figure], kind: str, name: str) -> bytes:
    """A figure as a file of this kind, one of `SUFFIXES`; `name` says which sort of picture it is."""
    style: Any = {"font.size": 9.5, "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": name}
    with rc_context(style):
        file = io.BytesIO()
        draw().savefig(file, format=kind[1:], dpi=200, facecolor="white", metadata={DATES[kind]: None})
    return file.getvalue()


def plain_axes(axes: Any) -> None:
    """Hide all axes but the lower one, and draw it behind the bars or curves."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(length=0, colors=INK)
    axes.set_axisbelow(True)
