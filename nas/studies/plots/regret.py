"""Regret over queries: how far the best so far is from the table's best, one panel per objective."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nas.report.figures.log_axis import log_axis
from nas.report.palette import INK, SOFT, STUDY_GRID, series
from nas.studies.plots.drawing import picture_file
from nas.studies.table_search_result import StrategyResult, TableSearchResult

PANEL_WIDTH = 4.6  # inches
PANEL_HEIGHT = 3.9
PANELS_PER_ROW = 3
MARKER_GAP = 0.12  # along a curve, as a fraction of the panel


def regret_curves(result: TableSearchResult, percent: Set[str], kind: str) -> bytes:
    """The regret of each strategy on the tables, as a file of this kind: the mean over seeds and their middle half.

    Both axes are logarithmic; a curve ends where every seed has found the best. The columns in `percent` hold
    fractions; their regret is in percentage points.
    """
    return picture_file(lambda: _figure(result, percent), kind, "regret")


def _figure(result: TableSearchResult, percent: Set[str]) -> Figure:
    objectives = result.objectives
    across = min(len(objectives), PANELS_PER_ROW)
    down = -(-len(objectives) // across)
    figure = Figure(figsize=(PANEL_WIDTH * across + 0.6, PANEL_HEIGHT * down + 0.5), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for axes in panels[len(objectives) :]:
        axes.set_visible(False)
    for axes, (objective, entry) in zip(panels, objectives.items()):
        _panel(axes, objective, entry.strategies, result, percent)
    figure.suptitle(
        f"Best found on {result.dataset}: mean of {result.seeds} runs, band of the middle half",
        x=0.01,
        ha="left",
        size=12,
        weight="bold",
        color=INK,
    )
    return figure


def _panel(
    axes: Any, objective: str, strategies: dict[str, StrategyResult], result: TableSearchResult, percent: Set[str]
) -> None:
    several = "+" in objective
    points = objective.removesuffix(":max").removesuffix(":min") in percent
    scale = 100.0 if several or points else 1.0
    queries = np.arange(1, result.queries + 1)
    means = np.array([one.regret for one in strategies.values()]) * scale
    floor = means[means > 0].min() / 2 if (means > 0).any() else 1e-3
    for number, (name, one) in enumerate(strategies.items()):
        look = series(number)
        low, high = (np.array(end) * scale for end in (one.regret_quartiles.low, one.regret_quartiles.high))
        axes.fill_between(
            queries, np.maximum(low, floor / 2), np.maximum(high, floor / 2), color=look["color"], alpha=0.15, lw=0
        )
        mean = means[number]
        marked = 0.03 * (number % 4), MARKER_GAP  # markers begin elsewhere than those of a neighbour
        axes.plot(queries, np.where(mean > 0, mean, np.nan), **look, lw=1.8, markevery=marked, label=name)
    log_axis(axes, "x")
    log_axis(axes, "y")
    axes.set_xlim(1, max(result.queries, 2))
    axes.set_ylim(bottom=floor)
    unit = (
        "% of the Pareto front's hypervolume" if several else "percentage points" if points else "units of the column"
    )
    axes.set_title(objective, loc="left", size=10.5, color=INK)
    axes.set_xlabel("queries", color=INK)
    axes.set_ylabel(f"regret, {unit}", color=INK)
    axes.grid(True, which="major", color=STUDY_GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=SOFT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", labelcolor=INK)
