"""A heat map of Kendall's tau: proxies by accuracies, the number in each cell."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any, NamedTuple

from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nas.report.palette import DIVERGING, EMPTY, INK, SOFT
from nas.report.wording import ATTACKS, attack
from nas.studies.correlate import SAME_AS_SIZE, SIZE, Correlations, ProxyCorrelation
from nas.studies.plots.drawing import picture_file
from nas.tables import CORRUPTIONS, GROUPS

CELL_WIDTH = 0.58  # inches
CELL_HEIGHT = 0.36
MIN_WIDTH = 7.4  # inches, for the text around the map
FAMILY_GAP = 0.3  # between families of columns, in cells
MAX_UPRIGHT = 8  # letters of a column's label; if one is longer, all are slanted
COLOURS = LinearSegmentedColormap.from_list("tau", DIVERGING)
SCALE = Normalize(-1, 1)
DARK_FROM = 0.36  # |tau| from which the number in a cell is white
BENCHMARKS = {"robbench": "NAS-RobBench-201, adversarially trained", "accuracy": "NAS-Bench-201"}
SHORT_BENCHMARKS = {BENCHMARKS["robbench"]: "RobBench", BENCHMARKS["accuracy"]: "NB201"}
MIN_COLUMNS = 5  # of a family; a smaller one has the short name of its benchmark


class _Column(NamedTuple):
    name: str
    family: str
    label: str


def heat_map(result: Correlations, dataset: str, kind: str) -> bytes:
    """The heat map of correlations, as a file of this kind: a row per proxy, a column per accuracy; blue is positive.

    Proxies are in the order of their mean tau. As in the table for the terminal, brackets mean that the interval of
    Spearman's rho contains 0. A dagger means that the size of the networks may explain the ranking.
    """
    return picture_file(lambda: _figure(result, dataset), kind, "tau")


def _figure(result: Correlations, dataset: str) -> Figure:
    proxies = result.proxies
    columns = [_column(name) for name in result.columns]
    names = result.best_first("kendall")
    families = [list(family) for _, family in groupby(columns, key=lambda column: column.family)]
    slanted = max(len(column.label) for column in columns) > MAX_UPRIGHT
    cells_wide = len(columns) + FAMILY_GAP * (len(families) - 1)
    labels = [_row(name, result.rho_with_params[name]) for name in names]
    left, right, top = 0.3 + 0.085 * max(map(len, labels)), 0.25, 1.15
    bottom = 0.95 + (0.045 * max(len(column.label) for column in columns) if slanted else 0.0)
    width, height = max(left + cells_wide * CELL_WIDTH + right, MIN_WIDTH), top + len(names) * CELL_HEIGHT + bottom

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        (left / width, bottom / height, cells_wide * CELL_WIDTH / width, len(names) * CELL_HEIGHT / height)
    )
    axes.set_xlim(0, cells_wide)
    axes.set_ylim(len(names), 0)
    axes.spines[:].set_visible(False)
    start, middles = 0.0, []
    for family in families:
        for offset, column in enumerate(family):
            middles.append(start + offset + 0.5)
            for row, name in enumerate(names):
                cell = proxies[name][column.name]
                colour = EMPTY if cell.kendall is None else COLOURS(SCALE(cell.kendall))
                ink = "white" if abs(cell.kendall or 0) > DARK_FROM else INK
                axes.add_patch(Rectangle((start + offset, row), 1, 1, facecolor=colour, ec="white", lw=1.2))
                axes.text(start + offset + 0.5, row + 0.52, _number(cell), color=ink, ha="center", va="center")
        if family[0].family:
            axes.plot([start + 0.08, start + len(family) - 0.08], [-0.18] * 2, color=SOFT, lw=0.8, clip_on=False)
            heading = SHORT_BENCHMARKS.get(family[0].family) if len(family) < MIN_COLUMNS else None
            axes.text(start + len(family) / 2, -0.36, heading or family[0].family, color=INK, ha="center", va="bottom")
        start += len(family) + FAMILY_GAP
    slant: Any = {"rotation": 38, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(middles, [column.label for column in columns], color=INK, **slant)
    axes.set_yticks([row + 0.5 for row in range(len(names))], labels, color=INK)
    axes.tick_params(length=0, pad=5)
    at: Any = {"x": 0.14 / width, "ha": "left"}
    title = f"Kendall's \u03c4 of zero-cost proxies with accuracy, {dataset}"
    figure.text(y=1 - 0.16 / height, s=title, va="top", size=13, weight="bold", color=INK, **at)
    figure.text(y=1 - 0.43 / height, s=_caption(result), va="top", color=SOFT, **at)
    note = (
        "In brackets: the uncorrected 95 % interval of Spearman's \u03c1 contains 0.\n\u2020: it does not, but that "
        "given the number of weights does or has the other sign: size may explain it."
    )
    figure.text(y=0.14 / height, s=note, va="bottom", color=SOFT, **at)
    return figure


def _column(name: str) -> _Column:
    """A column with its heading and its label."""
    benchmark, _, inner = name.rpartition(":") if name.startswith(tuple(BENCHMARKS)) else ("", "", name)
    if benchmark:
        prefix, _, score = benchmark.partition(":")
        return _Column(name, BENCHMARKS[prefix], f"{score.upper()} {_label(inner)}".strip())
    base, _, level = name.partition("@")
    if base in ATTACKS:
        return _Column(name, attack(base), f"{level}/255")
    if base.startswith("hrs:"):
        return _Column(name, "HRS", _label(name.removeprefix("hrs:")))
    plain = base.removeprefix("each:")
    if plain == "corruptions" or plain in GROUPS or set(plain.split("+")) <= set(CORRUPTIONS):
        label = "mean" if name == "corruptions" else name.replace("each:", "each ").replace("_", " ").replace("@", " ")
        return _Column(name, "corruptions", label)
    return _Column(name, "", name)


def _row(name: str, rho_with_params: float | None) -> str:
    same = name != SIZE and rho_with_params is not None and abs(rho_with_params) >= SAME_AS_SIZE
    return f"{name} \u2248 size" if same else name


def _label(name: str) -> str:
    base, _, level = name.partition("@")
    eps = f" {level}/255" if re.fullmatch(r"[\d.]+", level) else f" {level}" if level else ""
    return f"{attack(base)}{eps}"


def _caption(result: Correlations) -> str:
    kind = "architectures" if result.every_string else "classes of NAS-Bench-201 cells"
    turned = f"; turned, as lower is better: {', '.join(result.turned)}" if result.turned else ""
    return f"{result.n:,} {kind}{turned}"


def _number(cell: ProxyCorrelation) -> str:
    if cell.kendall is None:
        return "\u2013"
    text = f"{cell.kendall:.2f}".replace("0.", ".", 1).replace("-", "\u2212")
    text = ".00" if text == "\u2212.00" else text
    return f"({text})" if cell.contains_zero else f"{text}\u2020" if cell.explained_by_size else text
