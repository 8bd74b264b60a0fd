"""The curves of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.core.goal import Goal
from nas.core.radius import radius
from nas.core.statistics.intervals import wilson
from nas.report.figures.drawing import NARROW, WIDE, Drawing, figure
from nas.report.figures.log_axis import log_axis
from nas.report.identity import Identity
from nas.report.palette import AXIS, CELLS, SOFT
from nas.report.wording import attack, norm
from nas.results import CorruptionResult, Curve, EvalResult, TrainedModel
from nas.searches.history import Step

SUPERSCRIPTS = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
LOG_RADII = 50  # an axis is logarithmic if the largest radius is more than this many times the smallest
LOG_VALUES = 1000  # the same for the values of a search
MARKED_EPOCHS = 8  # about this many epochs of a training curve have a marker
MAX_VECTOR_DOTS = 2000  # more dots are drawn as one bitmap


def _percent(axes: Axes, label: str) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
    axes.set_ylabel(label)


def _power(values: list[float]) -> int:
    """The power of ten by which the values of an axis are divided if they are very large or small; else 0."""
    largest = max((abs(value) for value in values), default=0.0)
    return 0 if largest == 0 or 1e-3 <= largest < 1e5 else math.floor(math.log10(largest))


def robustness(name: str, attacked_by: str, sweeps: Sequence[tuple[EvalResult, Curve, Identity]]) -> Drawing:
    """Robust accuracy against the radius of one attack, each model with its 95 % Wilson band.

    The axis is logarithmic, from the smallest radius on, if the radii differ a lot.
    """
    radii = sorted({eps for _, curve, _ in sweeps for eps in curve.eps if eps > 0})

    def draw(axes: Axes) -> None:
        for entry, curve, model in sweeps:
            accuracy = dict(zip(curve.eps, curve.accuracy))
            if attacked_by in entry.attacks:
                accuracy.setdefault(entry.eps, entry.attacks[attacked_by].accuracy)
            eps = sorted(accuracy)
            low, high = zip(*(wilson(round(accuracy[at] * entry.n_test), entry.n_test) for at in eps))
            axes.fill_between(eps, low, high, color=model.colour, alpha=0.13, lw=0)
            axes.plot(
                eps, [accuracy[at] for at in eps],
                color=model.colour, dashes=model.dashes, marker=model.marker, markersize=4.5, label=model.label,
            )  # fmt: skip
        for limit in sorted({entry.eps for entry, _, _ in sweeps}):
            axes.axvline(limit, color=SOFT, lw=1, ls=":")
            axes.annotate(
                f"ε = {radius(limit)}", (limit, 1.01), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", color=SOFT,
            )  # fmt: skip
        if radii and radii[-1] > LOG_RADII * radii[0]:
            axes.set_xscale("symlog", linthresh=radii[0])
            axes.set_xticks([0, *radii], ["0", *(f"{255 * eps:.3g}/255" for eps in radii)], rotation=60)
            axes.minorticks_off()
        axes.set_xlim(left=0)
        axes.set_xlabel(f"attack radius ε, {norm(sweeps[0][0].norm)} (images in [0, 1])")
        _percent(axes, f"robust accuracy, {attack(attacked_by)} (%)")

    return figure(name, f"Robust accuracy against the radius of {attack(attacked_by)}", WIDE, draw)


def search(rows: list[Step], goal: Goal, exhausted: bool) -> Drawing:
    """Every evaluation of the search and the best so far; failures are crosses on the lower edge."""
    last = rows[-1].number  # in a long search not every evaluation has a row

    def draw(axes: Axes) -> None:
        scored = {row.number: row.value for row in rows if row.value is not None}
        values = list(scored.values())
        axes.plot(
            list(scored), values, "o",
            color=AXIS, alpha=0.75, markersize=4, mew=0, rasterized=len(rows) > MAX_VECTOR_DOTS, label="evaluation",
        )  # fmt: skip
        best = {row.number: row.best for row in rows if row.best is not None}
        axes.plot(list(best), list(best.values()), color=CELLS["best"], drawstyle="steps-post", label="best so far")
        failed = [row.number for row in rows if row.value is None]
        if failed:
            axes.plot(
                failed, [0.02] * len(failed), "x",
                color=CELLS["random"], markersize=6, mew=1.6, transform=axes.get_xaxis_transform(), label="failed",
            )  # fmt: skip
        if exhausted:
            axes.axvline(last, color=SOFT, lw=1, ls=":")
            axes.annotate(
                "space exhausted ",
                (last, 0.1),
                xycoords=("data", "axes fraction"),
                ha="right",
                color=SOFT,
            )
        label = goal.name
        if values and min(values) > 0 and max(values) > LOG_VALUES * min(values):
            log_axis(axes, "y")
        elif power := _power(values):
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.4g}"))
            label += f" / 10{str(power).translate(SUPERSCRIPTS)}"
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0, last + 1)
        axes.set_xlabel("evaluation (a class of isomorphic cells)")
        axes.set_ylabel(f"{label} ({'higher' if goal.higher_is_better else 'lower'} is better)")

    return figure("search", "Scores of the search in the order of evaluation", WIDE, draw)


CURVES = {
    "train_loss": "training loss (nats)",
    "val_accuracy": "validation accuracy (%)",
    "val_robust_accuracy": "robust validation accuracy (%)",
}


def training(key: str, records: Mapping[str, TrainedModel], models: Mapping[str, Identity]) -> Drawing:
    """One quantity of the training histories against the epoch; a ring marks the epoch that was chosen."""

    def draw(axes: Axes) -> None:
        for name, record in records.items():
            model = models[name]
            curve = record.curve(key)
            axes.plot(
                list(curve), list(curve.values()), color=model.colour, dashes=model.dashes,
                marker=model.marker, markersize=3.5, markevery=max(1, len(curve) // MARKED_EPOCHS), label=model.label,
            )  # fmt: skip
            chosen = [epoch for epoch in curve if epoch == record.chosen_epoch]
            axes.plot(
                chosen, [curve[epoch] for epoch in chosen], model.marker,
                markersize=8, mfc="white", mec=model.colour, mew=1.8, zorder=3,
            )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_xlim(0.5, max(epoch for record in records.values() for epoch in record.curve(key)) + 0.5)
        axes.set_xlabel("epoch")
        if key == "train_loss":
            axes.set_ylim(bottom=0)
            axes.set_ylabel(CURVES[key])
        else:
            _percent(axes, CURVES[key])

    return figure(key, f"{CURVES[key]} against the epoch", NARROW, draw)


def corruption(results: list[tuple[Identity, CorruptionResult]]) -> Drawing:
    """The mean accuracy over the types of corruption against the severity; at 0 the clean accuracy."""

    def draw(axes: Axes) -> None:
        for model, one in results:
            points = [(0, one.clean)]
            for position, severity in enumerate(one.severities):
                points.append((severity, fmean(one.accuracy[kind][position] for kind in one.mean_of)))
            at, accuracy = zip(*sorted(points))
            axes.plot(
                at, accuracy, color=model.colour, dashes=model.dashes, marker=model.marker, markersize=4.5,
                label=model.label,
            )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("severity (0: clean)")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        axes.set_ylabel("mean accuracy (%)")

    return figure("corruptions", "Mean accuracy against the severity of corruption", WIDE, draw)
