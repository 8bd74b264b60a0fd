"""A cell as a vector file for a paper: the picture of the page, drawn a second time with embedded fonts."""

from __future__ import annotations

import io
import re
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from nas.core.io.records import Json
from nas.report.figures.drawing import EMBEDDED, KINDS, STYLE, Drawing

UNIT = 0.56  # points for each pixel of the page: a cell of DARTS is as wide as two columns of text, 7 inches
FONT = 12.5  # pixels, as in style.css
SUBSCRIPT = 9.5
BASELINE = 4.4  # pixels from the middle of a line of letters down to its baseline
CORNER = 6.0
WORDS = re.compile(r"[MHVQlhvz]|-?[\d.]+(?:e-?\d+)?")


class CellDrawing(Drawing):
    """A cell as SVG for a page, which can also be drawn as a file. `shown` are the values of the template cell.svg."""

    shown: Json

    def file(self, kind: str) -> bytes:
        """The cell as a file of one of `KINDS`, with letters of 7 points and without a legend."""
        width, height = float(self.shown["width"]), float(self.shown["height"])
        style: Any = {**STYLE, **EMBEDDED, "svg.hashsalt": self.name}
        with rc_context(style):
            canvas = Figure(figsize=(width * UNIT / 72, height * UNIT / 72))
            axes = canvas.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
            axes.set_axis_off()
            _draw(axes, self.shown)
            file = io.BytesIO()
            canvas.savefig(file, format=kind, metadata={KINDS[kind]: None})
        return file.getvalue()


def path_of(text: str) -> Path:
    """The path of an SVG's `d` that has the commands M, H, V, Q, l, h, v and z alone, which is what cells.py writes."""
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    words = iter(WORDS.findall(text))
    for command in words:
        x, y = points[-1] if points else (0.0, 0.0)
        if command == "z":
            points.append((0.0, 0.0))
            codes.append(Path.CLOSEPOLY)
            continue
        count = {"M": 2, "l": 2, "Q": 4}.get(command, 1)
        numbers = [float(next(words)) for _ in range(count)]
        if command == "Q":
            points += [(numbers[0], numbers[1]), (numbers[2], numbers[3])]
            codes += [Path.CURVE3, Path.CURVE3]
            continue
        first, last = numbers[0], numbers[-1]
        ends = {"M": (first, last), "l": (x + first, y + last), "H": (first, y), "V": (x, first)}
        points.append({**ends, "h": (x + first, y), "v": (x, y + first)}[command])
        codes.append(Path.MOVETO if command == "M" else Path.LINETO)
    return Path(points, codes)


def _draw(axes: Axes, shown: Json) -> None:
    """Lines lie under the labels on them, and under the nodes, as in the template."""
    for colour, line, head in shown["lines"]:
        axes.add_patch(PathPatch(path_of(line), fill=False, edgecolor=colour, linewidth=2 * UNIT, capstyle="butt"))
        axes.add_patch(PathPatch(path_of(head), facecolor=colour, linewidth=0))
    width, height = shown["label_size"]
    for x, y, colour, text in shown["labels"]:
        _box(axes, (x, y), (width, height), height / 2, facecolor="white", edgecolor=colour, linewidth=1.6 * UNIT)
        size = min(FONT, FONT * (width - 8) / _width(text, FONT))
        axes.text(x, y + BASELINE, text, size=size * UNIT, ha="center", va="baseline")
    node_size, middle = shown["node_size"], shown["middle"]
    for left, name, subscript in shown["nodes"]:
        x = left + node_size[0] / 2
        _box(axes, (x, middle), node_size, CORNER, facecolor=shown["node_colour"], linewidth=0)
        start = x - (_width(name, FONT, "bold") + _width(subscript, SUBSCRIPT, "bold")) / 2
        look: Any = {"color": "white", "weight": "bold", "va": "baseline"}
        axes.text(start, middle + BASELINE, name, size=FONT * UNIT, **look)
        start += _width(name, FONT, "bold")
        axes.text(start, middle + BASELINE + 3, subscript, size=SUBSCRIPT * UNIT, **look)


def _box(axes: Axes, centre: tuple[float, float], size: tuple[float, float], corner: float, **look: Any) -> None:
    (x, y), (width, height) = centre, size
    corner_style = f"round,pad=0,rounding_size={corner}"
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle=corner_style, **look))


def _width(text: str, size: float, weight: str = "normal") -> float:
    """The width of a text in pixels of the page."""
    if not text:
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight)).get_extents().width)
