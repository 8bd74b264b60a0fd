"""Pictures of a prediction: importances of features as in the paper's Figures 2 to 5, or learning curves."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nas.core.errors import InputError
from nas.report.palette import BLUE, GREEN, GRID_OF_STUDY, HATCHES, INK, SOFT, VERMILION, series
from nas.report.wording import metric
from nas.studies.plots.drawing import new_figure, picture_file, plain_axes
from nas.studies.prediction_result import Fit, PredictionResult

MOST = 15  # features in a panel
BAR, PANEL, ACROSS = 0.32, 4.3, 2  # inches per feature, per panel; panels in a row


def picture(result: PredictionResult, kind: str) -> bytes:
    """Learning curves where the result has them, else importances, as a file of this kind.

    Raises InputError if it has neither: some models have no importances.
    """
    return picture_file(
        lambda: _curves(result, result.curves) if result.curves else _importances(result), kind, "predict"
    )


def _figure(width: float, height: float, title: str, note: str) -> Figure:
    figure = new_figure(width, height, layout="constrained")
    figure.suptitle(f"{title}\n", x=0.01, ha="left", size=12.5, weight="bold", color=INK)
    figure.text(0.0105, 1 - 0.36 / height, note, va="top", color=SOFT)
    return figure


def _label(target: str) -> str:
    return " + ".join(map(metric, target.split("+")))


def _how(result: PredictionResult) -> str:
    splits = "the paper's split" if result.splits == "paper" else f"mean of {result.splits} random splits"
    return f"{result.n:,} classes, {result.model} on {result.features} features, {splits}"


def _importances(result: PredictionResult) -> Figure:
    """A panel for each target of several columns (or each target), its features in the order of their importance, with
    the bars of its parts beside its own; with `study` a second column without the most important feature."""
    everything = result.importances
    if not everything:
        raise InputError(
            f"Expected importances to draw but {result.model} tells none; draw --curves, or take --model forest."
        )
    joint = [target for target in everything if "+" in target] or list(everything)
    study = result.study
    panels: list[tuple[str, dict[str, dict[str, float]]]] = []
    for target in joint:
        parts = [part for part in target.split("+") if part in everything and part != target] + [target]
        panels.append((_label(target), {name: everything[name] for name in parts}))
        if study:
            without = {target: study[target].importances_without}
            panels.append((f"{_label(target)}, without {study[target].top}", without))
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    bars = min(MOST, max(len(shares) for _, group in panels for shares in group.values()))
    height = down * (bars * BAR * 0.8 + 0.75) + 0.75
    title = f"What predicts accuracy under attack on {result.dataset}: importance of features"
    figure = _figure(across * PANEL + 1.2, height, title, f"Gini importance; {_how(result)}")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    colour = dict.fromkeys(everything, VERMILION) | {"clean": BLUE}
    colour |= {target: GREEN for target in everything if "+" in target}
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes, (heading, group) in zip(grid, panels):
        *_, last = group
        names = list(group[last])[:MOST]
        places = np.arange(len(names))
        thick = 0.8 / len(group)
        for number, (target, shares) in enumerate(group.items()):
            values = [shares[name] for name in names]
            axes.barh(places + (number - (len(group) - 1) / 2) * thick, values, thick * 0.92, color=colour[target],
                      hatch=HATCHES[number % len(HATCHES)], edgecolor="white", lw=0, label=_label(target))  # fmt: skip
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.grid(axis="x", color=GRID_OF_STUDY)
        axes.set_title(heading, loc="left", size=10.5, color=INK)
        plain_axes(axes)
        if len(group) > 1:
            axes.legend(frameon=False, loc="lower right")
    return figure


def _curves(result: PredictionResult, curves: dict[str, Fit]) -> Figure:
    """R² and Kendall's tau over the number of labelled architectures, with the band of one standard deviation."""
    targets = [target for target in result.targets if "+" not in target] or list(result.targets)
    sizes = [int(size) for size in curves]
    title = f"Accuracy on {result.dataset} from few labelled architectures"
    note = f"{result.n:,} classes, {result.model} on {result.features} features; mean and sd of 20 draws"
    figure = _figure(2 * PANEL + 0.6, 4.2, title, note)
    for axes, key, name in zip(figure.subplots(1, 2), ("r2", "kendall"), ("R²", "Kendall's \u03c4")):
        for number, target in enumerate(targets):
            entries = [fit.spread(key, target) for fit in curves.values()]
            mean, sd = (np.array([np.nan if e[at] is None else e[at] for e in entries]) for at in (0, 1))
            look = series(number)
            axes.plot(sizes, mean, **look, label=_label(target))
            axes.fill_between(sizes, mean - sd, mean + sd, color=look["color"], alpha=0.13, linewidth=0)
        axes.set_xscale("log")
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.grid(color=GRID_OF_STUDY)
        axes.set_title(name, loc="left", size=10.5, color=INK)
        axes.set_xlabel("labelled architectures", color=INK)
        plain_axes(axes)
    axes.legend(frameon=False, loc="lower right")
    return figure
