"""Pictures of a prediction: importances of features as in the paper's Figures 2 to 5, or learning curves."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nas.core.errors import InputError
from nas.report.figures.log_axis import log_axis
from nas.report.palette import BLUE, GREEN, HATCHES, INK, SOFT, STUDY_GRID, VERMILION, series
from nas.report.wording import metric
from nas.studies.plots.drawing import picture_file, plain_axes
from nas.studies.prediction_result import Fit, PredictionResult

MAX_FEATURES = 15  # in a panel
FEATURE_HEIGHT = 0.256  # inches
PANEL_WIDTH = 4.3
PANELS_PER_ROW = 2


def picture(result: PredictionResult, kind: str) -> bytes:
    """The learning curves of a result, or its importances if it has none, as a file of this kind.

    Raises InputError if it has neither: some models have no importances.
    """
    return picture_file(
        lambda: _curves(result, result.curves) if result.curves else _importances(result), kind, "predict"
    )


def _figure(width: float, height: float, title: str, note: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{title}\n", x=0.01, ha="left", size=12.5, weight="bold", color=INK)
    figure.text(0.0105, 1 - 0.36 / height, note, va="top", color=SOFT)
    return figure


def _label(target: str) -> str:
    return " + ".join(map(metric, target.split("+")))


def _about(result: PredictionResult) -> str:
    splits = "the paper's split" if result.splits == "paper" else f"mean of {result.splits} random splits"
    return f"{result.n:,} classes, {result.model} on {result.features} features, {splits}"


def _importances(result: PredictionResult) -> Figure:
    """A panel for each target of several accuracies, or for each target if no target has several.

    Features are in the order of their importance for the panel's target; beside its bars are those of the single
    accuracies. With a `study`, a second panel for each target has the importances without the most important feature.
    """
    by_target = result.importances
    if not by_target:
        raise InputError(
            f"Expected importances to draw but {result.model} has none; draw --curves, or take --model forest."
        )
    joint = [target for target in by_target if "+" in target] or list(by_target)
    reduced = result.study
    panels: list[tuple[str, dict[str, dict[str, float]]]] = []
    for target in joint:
        parts = [part for part in target.split("+") if part in by_target and part != target] + [target]
        panels.append((_label(target), {name: by_target[name] for name in parts}))
        if reduced:
            without = {target: reduced[target].importances_without}
            panels.append((f"{_label(target)}, without {reduced[target].top}", without))
    across = min(PANELS_PER_ROW, len(panels))
    down = -(-len(panels) // across)
    bars = min(MAX_FEATURES, max(len(importances) for _, group in panels for importances in group.values()))
    height = down * (bars * FEATURE_HEIGHT + 0.75) + 0.75
    title = f"What predicts accuracy under attack on {result.dataset}: importance of features"
    figure = _figure(across * PANEL_WIDTH + 1.2, height, title, f"Gini importance; {_about(result)}")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    colour = dict.fromkeys(by_target, VERMILION) | {"clean": BLUE}
    colour |= {target: GREEN for target in by_target if "+" in target}
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes, (heading, group) in zip(grid, panels):
        *_, last = group
        names = list(group[last])[:MAX_FEATURES]
        places = np.arange(len(names))
        thick = 0.8 / len(group)
        for number, (target, importances) in enumerate(group.items()):
            values = [importances[name] for name in names]
            axes.barh(places + (number - (len(group) - 1) / 2) * thick, values, thick * 0.92, color=colour[target],
                      hatch=HATCHES[number % len(HATCHES)], edgecolor="white", lw=0, label=_label(target))  # fmt: skip
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(axis="x", color=STUDY_GRID)
        axes.set_title(heading, loc="left", size=10.5, color=INK)
        plain_axes(axes)
        if len(group) > 1:
            axes.legend(frameon=False, loc="lower right")
    return figure


def _curves(result: PredictionResult, curves: dict[str, Fit]) -> Figure:
    """R² and Kendall's tau against the number of labelled architectures, with a band of one standard deviation."""
    targets = [target for target in result.targets if "+" not in target] or list(result.targets)
    sizes = [int(size) for size in curves]
    title = f"Accuracy on {result.dataset} from few labelled architectures"
    note = f"{result.n:,} classes, {result.model} on {result.features} features; mean and sd of 20 draws"
    figure = _figure(2 * PANEL_WIDTH + 0.6, 4.2, title, note)
    for axes, key, name in zip(figure.subplots(1, 2), ("r2", "kendall"), ("R²", "Kendall's \u03c4")):
        for number, target in enumerate(targets):
            entries = [fit.spread(key, target) for fit in curves.values()]
            mean, sd = (np.array([np.nan if e[at] is None else e[at] for e in entries]) for at in (0, 1))
            look = series(number)
            axes.plot(sizes, mean, **look, label=_label(target))
            axes.fill_between(sizes, mean - sd, mean + sd, color=look["color"], alpha=0.13, linewidth=0)
        log_axis(axes, "x")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.grid(color=STUDY_GRID)
        axes.set_title(name, loc="left", size=10.5, color=INK)
        axes.set_xlabel("labelled architectures", color=INK)
        plain_axes(axes)
    axes.legend(frameon=False, loc="lower right")
    return figure
