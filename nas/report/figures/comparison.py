"""The figures of a comparison: clean against robust accuracy, and accuracy over the attack's radius."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from nas.core.statistics.proportions import wilson
from nas.report.compare import Checkpoint, front
from nas.report.figures.curves import WIDE, figure
from nas.report.palette import HRS_LINE, INK, SOFT
from nas.report.wording import attack, metric, norm, radius
from nas.results import WORST_CASE, Curve, EvalResult

Numbered = list[tuple[int, Checkpoint]]
Curves = list[tuple[int, Checkpoint, Curve]]
HRS_LINES = (0.2, 0.4, 0.6, 0.8)
STEPS = 100  # points of such a line


def judged_by(entries: list[EvalResult]) -> str | None:
    """The worst case where all have it of the same attacks; else the attack in all that leaves least on average."""
    first, *others = [sorted(entry.worst_case.attacks) for entry in entries]
    if all(one == first for one in others):
        return WORST_CASE if len(first) > 1 else first[0]
    shared = [name for name in entries[0].attacks if all(name in entry.attacks for entry in entries)]
    return min(shared, key=lambda name: sum(entry.attacks[name].accuracy for entry in entries), default=None)


def _percent(axes: Axes, label: str, which: str) -> None:
    getattr(axes, f"set_{which}label")(label)
    getattr(axes, f"{which}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))


def pareto(name: str, rows: Numbered, judged: str) -> Markup:
    """Each checkpoint at its clean and robust accuracy with intervals; a dashed line joins the undominated ones."""
    points = [(one.entry.clean, one.entry.accuracy(judged)[0]) for _, one in rows]

    def draw(axes: Axes) -> None:
        ends = []
        for (number, one), (x, y) in zip(rows, points):
            across, up = one.entry.clean_interval, one.entry.accuracy(judged)[1]
            ends += [(across[0], up[0]), (across[1], up[1])]
            colour = one.identity.colour
            axes.plot(across, [y, y], color=colour, lw=1, alpha=0.7)
            axes.plot([x, x], up, color=colour, lw=1, alpha=0.7)
            axes.plot([x], [y], one.identity.marker, color=colour, markersize=7)
            axes.annotate(str(number), (x, y), xytext=(6, 5), textcoords="offset points", color=INK)
        best = [points[index] for index in front(points)]
        axes.plot([x for x, _ in best], [y for _, y in best], color=SOFT, lw=1.2, dashes=(4, 3), zorder=1)
        left, right = _room([x for x, _ in ends])
        low, high = _room([y for _, y in ends])
        for score in HRS_LINES:
            xs = [score / 2 + (1 - score / 2) * step / STEPS for step in range(1, STEPS + 1)]
            ys = [score * x / (2 * x - score) for x in xs]
            inside = [(x, y) for x, y in zip(xs, ys) if left <= x <= right and low <= y <= high]
            axes.plot(xs, ys, color=HRS_LINE, lw=0.9, zorder=0)
            if inside:
                axes.annotate(f"HRS {100 * score:.0f}", inside[-1], color=SOFT, fontsize=8.5, ha="right", va="bottom")
        axes.set_xlim(left, right)
        axes.set_ylim(low, high)
        _percent(axes, "clean accuracy (%)", "x")
        _percent(axes, f"robust accuracy, {'worst case' if judged == WORST_CASE else metric(judged)} (%)", "y")

    return figure(name, "Clean against robust accuracy", WIDE, draw)


def _room(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.08 * max(high - low, 0.05)
    return max(-0.03, low - room), min(1.03, high + room)


def curves_by_attack(rows: Numbered) -> dict[tuple[str, str], Curves]:
    """The curves over eps of all checkpoints, by norm and attack."""
    found: dict[tuple[str, str], Curves] = {}
    for number, one in rows:
        for curve in one.entry.sweep:
            found.setdefault((one.entry.norm, curve.attack), []).append((number, one, curve))
    return found


def curves(name: str, key: str, reach: str, rows: Curves) -> Markup:
    """Robust accuracy against the radius with 95% Wilson bands."""

    def draw(axes: Axes) -> None:
        for _, one, curve in rows:
            n, model = one.entry.n_test, one.identity
            known = dict(zip(curve.eps, curve.accuracy))
            if key in one.entry.attacks:
                known[one.entry.eps] = one.entry.attacks[key].accuracy
            eps = sorted(known)
            bounds = [wilson(round(known[at] * n), n) for at in eps]
            axes.fill_between(
                eps, [low for low, _ in bounds], [high for _, high in bounds], color=model.colour, alpha=0.12, lw=0
            )
            axes.plot(
                eps, [known[at] for at in eps],
                color=model.colour, dashes=model.dashes, marker=model.marker, markersize=4.5,
            )  # fmt: skip
        for limit in sorted({one.entry.eps for _, one, _ in rows}):
            axes.axvline(limit, color=SOFT, lw=1, ls=":")
            axes.annotate(
                f"ε = {radius(limit)}", (limit, 1.01), xycoords=("data", "axes fraction"),
                ha="center", va="bottom", color=SOFT,
            )  # fmt: skip
        axes.set_xlim(left=0)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel(f"attack radius ε, {norm(reach)} (images in [0, 1])")
        _percent(axes, f"robust accuracy, {attack(key)} (%)", "y")

    return figure(name, "Robust accuracy against the attack radius", WIDE, draw)
