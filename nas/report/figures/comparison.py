"""The figures of a comparison: clean against robust accuracy, and the curves over the radius attack by attack."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from nas.report.compare import front
from nas.report.figures.drawing import WIDE, Drawing, figure
from nas.report.identity import Identity
from nas.report.pairing import Checkpoint
from nas.report.palette import HRS_LINE, INK, SOFT
from nas.report.wording import metric
from nas.results import WORST_CASE, Curve, EvalResult

Numbered = list[tuple[int, Checkpoint]]
Sweeps = list[tuple[EvalResult, Curve, Identity]]
WARNED = " (checks warn)"
HRS_LINES = (0.2, 0.4, 0.6, 0.8)  # for each of these scores, a line joins the points that have this score
HRS_POINTS = 100  # points of such a line


def judged_by(entries: list[EvalResult]) -> str | None:
    """The metric by which these evaluations are compared: the worst case if all used the same attacks.

    Otherwise it is the strongest attack on average among those that all used; None if they have no attack in common.
    """
    first, *others = [sorted(entry.worst_case.attacks) for entry in entries]
    if all(one == first for one in others):
        return WORST_CASE if len(first) > 1 else first[0]
    common = [name for name in entries[0].attacks if all(name in entry.attacks for entry in entries)]
    return min(common, key=lambda name: sum(entry.attacks[name].accuracy for entry in entries), default=None)


def _percent(axes: Axes, label: str, which: str) -> None:
    getattr(axes, f"set_{which}label")(label)
    getattr(axes, f"{which}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))


def accuracy_pairs(rows: Numbered, judged: str) -> list[tuple[float, float]]:
    """The clean and the robust accuracy of each checkpoint."""
    return [(one.entry.clean, one.entry.accuracy(judged)[0]) for _, one in rows]


def pareto(name: str, rows: Numbered, judged: str) -> Drawing:
    """Each checkpoint at its clean and robust accuracy, with intervals; a dashed line joins the Pareto front.

    A marker is hollow if a check warns that the robust accuracy is an upper bound.
    """
    points = accuracy_pairs(rows, judged)

    def draw(axes: Axes) -> None:
        ends = []
        for (number, one), (x, y) in zip(rows, points):
            across, up = one.entry.clean_interval, one.entry.accuracy(judged)[1]
            ends += [(across[0], up[0]), (across[1], up[1])]
            colour = one.identity.colour
            axes.plot(across, [y, y], color=colour, lw=1, alpha=0.7)
            axes.plot([x, x], up, color=colour, lw=1, alpha=0.7)
            warned = bool(one.entry.warning_checks)
            label = f"{number}: {one.identity.label}{WARNED if warned else ''}"
            fill = "none" if warned else "full"
            axes.plot([x], [y], one.identity.marker, color=colour, markersize=7, label=label, fillstyle=fill)
            axes.annotate(str(number), (x, y), xytext=(6, 5), textcoords="offset points", color=INK)
        best = [points[index] for index in front(points)]
        axes.plot([x for x, _ in best], [y for _, y in best], color=SOFT, lw=1.2, dashes=(4, 3), zorder=1)
        left, right = _with_margin([x for x, _ in ends])
        low, high = _with_margin([y for _, y in ends])
        for score in HRS_LINES:
            xs = [score / 2 + (1 - score / 2) * step / HRS_POINTS for step in range(1, HRS_POINTS + 1)]
            ys = [score * x / (2 * x - score) for x in xs]
            inside = [(x, y) for x, y in zip(xs, ys) if left <= x <= right and low <= y <= high]
            axes.plot(xs, ys, color=HRS_LINE, lw=0.9, zorder=0)
            if inside:
                axes.annotate(f"HRS {100 * score:.0f}", inside[-1], color=SOFT, fontsize=8.5, ha="right", va="bottom")
        axes.set_xlim(left, right)
        axes.set_ylim(low, high)
        _percent(axes, "clean accuracy (%)", "x")
        _percent(axes, f"robust accuracy, {metric(judged)} (%)", "y")

    return figure(name, "Clean against robust accuracy", WIDE, draw)


def _with_margin(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.08 * max(high - low, 0.05)
    return max(-0.03, low - margin), min(1.03, high + margin)


def sweeps_by_attack(checkpoints: Sequence[Checkpoint]) -> dict[tuple[str, str], Sweeps]:
    """The accuracies over the radius of all checkpoints, by norm and attack."""
    sweeps: dict[tuple[str, str], Sweeps] = {}
    for one in checkpoints:
        for curve in one.entry.sweep:
            sweeps.setdefault((one.entry.norm, curve.attack), []).append((one.entry, curve, one.identity))
    return sweeps
