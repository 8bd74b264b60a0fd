"""Regret over queries: how far the best so far is from the table's best, one panel per objective."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from nas.report.palette import GRID_OF_STUDY, INK, SERIES, SERIES_DASHES, SOFT
from nas.studies.table_search_result import StrategyResult, TableSearchResult

PANEL, HEIGHT = 4.6, 3.9  # inches
ACROSS = 3  # panels in a row


def regret_curves(result: TableSearchResult, kind: str) -> bytes:
    """The picture of a result of `table_search`, as a file of this kind: mean over seeds, and the band that holds the
    middle half of them. Both axes are logarithmic; where all found the best, a curve has left the picture."""
    objectives = result.objectives
    across = min(len(objectives), ACROSS)
    down = -(-len(objectives) // across)
    style: Any = {"font.size": 9.5, "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "regret"}
    with rc_context(style):
        figure = Figure(figsize=(PANEL * across + 0.6, HEIGHT * down + 0.5), facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(down, across, squeeze=False).flatten()
        for axes in panels[len(objectives) :]:
            axes.set_visible(False)
        for axes, (objective, entry) in zip(panels, objectives.items()):
            _panel(axes, objective, entry.strategies, result)
        figure.suptitle(
            f"Best found on {result.dataset}: mean of {result.seeds} runs, band of the middle half",
            x=0.01,
            ha="left",
            size=12,
            weight="bold",
            color=INK,
        )
        file = io.BytesIO()
        date = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}[kind]
        figure.savefig(file, format=kind[1:], dpi=200, metadata={date: None})
    return file.getvalue()


def _panel(axes: Any, objective: str, strategies: dict[str, StrategyResult], result: TableSearchResult) -> None:
    several = "+" in objective
    best = result.optimum.get(objective.removesuffix(":max").removesuffix(":min"))
    points = best is not None and 0 < best <= 1  # accuracies are shares, their differences percentage points
    scale = 100.0 if several or points else 1.0
    queries = np.arange(1, result.queries + 1)
    means = np.array([one.regret for one in strategies.values()]) * scale
    floor = means[means > 0].min() / 2 if (means > 0).any() else 1e-3
    for number, (name, one) in enumerate(strategies.items()):
        colour = SERIES[number % len(SERIES)]
        low, high = (np.array(end) * scale for end in (one.regret_quartiles.low, one.regret_quartiles.high))
        axes.fill_between(
            queries, np.maximum(low, floor / 2), np.maximum(high, floor / 2), color=colour, alpha=0.15, lw=0
        )
        mean = means[number]
        dashes = SERIES_DASHES[number // len(SERIES) % len(SERIES_DASHES)]
        axes.plot(queries, np.where(mean > 0, mean, np.nan), color=colour, ls=dashes, lw=1.8, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, max(result.queries, 2))
    axes.set_ylim(bottom=floor)
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_major_formatter(plain)
    axes.yaxis.set_major_formatter(plain)
    unit = (
        "% of the Pareto front's hypervolume" if several else "percentage points" if points else "units of the column"
    )
    axes.set_title(objective, loc="left", size=10.5, color=INK)
    axes.set_xlabel("queries", color=INK)
    axes.set_ylabel(f"regret, {unit}", color=INK)
    axes.grid(True, which="major", color=GRID_OF_STUDY, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=SOFT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, loc="lower left", labelcolor=INK)
