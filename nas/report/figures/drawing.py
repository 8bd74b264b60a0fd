"""Curves as inline SVG for pages and as vector files for papers, with the same bytes each time."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.report.palette import AXIS, GRID, NODE, SOFT

STYLE: dict[str, str | float] = {
    "svg.fonttype": "none",  # text stays text, in the page's own font
    "text.parse_math": False,
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": AXIS,
    "axes.labelcolor": NODE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.8,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
WIDE = (7.6, 4.2)  # inches; an inch is 72 units of the drawing
NARROW = (4.5, 3.5)
KINDS = {"svg": "Date", "pdf": "CreationDate"}  # of files, with the metadata that would change each time
EMBEDDED = {
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
}  # TrueType, which publishers ask for; SVG shows shapes of letters
PAPER_SCALE = 0.72  # of a figure in a paper: as wide as its text, and the letters of 9 points
PAPER_FONT = 9.0
LETTER_WIDTH = 0.07  # inches, in a legend
LINE_WIDTH = 0.75  # of the line and the space beside a label
LINE_HEIGHT = 0.19


class Drawing(Markup):
    """A figure as SVG for a page, which can also be drawn as a file, with its legend."""

    name: str
    size: tuple[float, float]
    draw: Callable[[Axes], None]

    def file(self, kind: str) -> bytes:
        """The figure as a file of one of `KINDS`: fonts embedded, nothing a bitmap, a legend below."""
        style: Any = {**STYLE, **EMBEDDED, "font.size": PAPER_FONT, "svg.hashsalt": self.name}
        with rc_context(style):
            width, height = (PAPER_SCALE * length for length in self.size)
            canvas = Figure(figsize=(width, height), layout="constrained")
            axes = canvas.add_subplot()
            self.draw(axes)
            for artist in axes.get_children():
                artist.set_rasterized(False)
            handles, labels = axes.get_legend_handles_labels()
            shown = dict(zip(labels, handles))
            if shown:
                fitting = int(width / (LINE_WIDTH + LETTER_WIDTH * max(map(len, shown))))
                columns = max(1, min(fitting, len(shown)))
                canvas.set_figheight(height + LINE_HEIGHT * math.ceil(len(shown) / columns))
                look: Any = {"loc": "outside lower center", "ncols": columns, "frameon": False, "handlelength": 3.4}
                canvas.legend(list(shown.values()), list(shown), **look)
            file = io.BytesIO()
            canvas.savefig(file, format=kind, metadata={KINDS[kind]: None})
        return file.getvalue()


def figure(name: str, title: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> Drawing:
    """One set of axes as inline SVG. `name` is unique on the page; `title` is read by screen readers.

    The labels that `draw` gives to lines are the legend of a file; a page has a legend of its own.
    """
    style: Any = {**STYLE, "svg.hashsalt": name}
    with rc_context(style):
        canvas = Figure(figsize=size, layout="constrained")
        draw(canvas.add_subplot())
        file = io.StringIO()
        canvas.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)  # as older versions of matplotlib write it
    svg = re.sub(r"\s*\n\s*", "\n", svg).replace("xlink:href", "href")
    view = re.search(r'viewBox="[^"]*"', svg)
    assert view is not None
    opening = Markup('<svg class="plot" {} role="img" aria-label="{}">').format(Markup(view[0]), title)
    drawing = Drawing(opening + Markup(svg[svg.index(">") + 1 :].strip()))
    drawing.name, drawing.size, drawing.draw = name, size, draw
    return drawing


def drawings(values: object) -> Iterator[Drawing]:
    """The figures among the values of a page, in their order."""
    if isinstance(values, Drawing):
        yield values
    elif isinstance(values, Mapping):
        for value in values.values():
            yield from drawings(value)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        for value in values:
            yield from drawings(value)
