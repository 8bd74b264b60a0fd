"""The page that compares evaluated checkpoints: one table, Pareto fronts, curves, paired differences."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

from nas.core.io.files import write_text
from nas.core.io.records import Json
from nas.core.statistics.paired import SIGNIFICANCE
from nas.report.compare import ComparisonData, front
from nas.report.figures import comparison as figures
from nas.report.figures import curves
from nas.report.figures.comparison import Numbered
from nas.report.figures.drawing import Drawing
from nas.report.identity import Identity
from nas.report.pages import common
from nas.report.render import distinct, render
from nas.report.wording import ball, listed, metric
from nas.results import WORST_CASE, Comparison
from nas.runs.difference_wording import disagreement

PAGE = "comparison.html"


def write_comparison(path: Path, comparison: ComparisonData) -> Path:
    """Write the page to `path` and return it. The same comparison gives the same bytes."""
    write_text(path, page(comparison))
    return path


def page(comparison: ComparisonData) -> str:
    return render("comparison.html", **values(comparison))


def values(comparison: ComparisonData) -> Json:
    """What the page shows, for its template."""
    rows: Numbered = list(enumerate(comparison.checkpoints, start=1))
    title = f"{len(rows)} checkpoints compared"
    attacks = distinct(name for _, one in rows for name in one.entry.attacks)
    worst = any(one.entry.worst_of_several for _, one in rows)
    models = {one.label: one.identity for _, one in rows}
    by_attack = figures.sweeps_by_attack(comparison.checkpoints)
    return dict(
        title=title,
        heading=title,
        terms={"runs": listed(runs)} if (runs := distinct(one.run for _, one in rows if one.run)) else {},
        finding=_count(comparison) if comparison.differences else "No two checkpoints can be paired image by image.",
        notes=comparison.notes,
        rows=rows,
        attacks=[*attacks, *([WORST_CASE] if worst else [])],
        accuracies=[
            [*map(one.entry.attacks.get, attacks), *([one.entry.worst_of_several] if worst else [])] for _, one in rows
        ],
        worst=worst,
        fronts=_fronts(rows),
        sweeps=[
            (norm, attack, [model for *_, model in sweeps], curves.robustness(f"curves{number}", attack, sweeps))
            for number, ((norm, attack), sweeps) in enumerate(by_attack.items())
        ],
        pairs=_pairs(comparison),
        x=common.interval_axis(comparison.differences),
        **common.training({one.label: one.record for _, one in rows if one.record}, models),
        **common.measured([replace(one.entry, name=one.label) for _, one in rows], models),
    )


def _fronts(rows: Numbered) -> list[tuple[str, str, list[Identity], Drawing, bool, bool]]:
    """A figure for each protocol (data, norm, radius): accuracies are comparable only within a protocol.

    The last items say whether the front has several points, which a line joins, and whether a marker is hollow.
    """
    groups: dict[str, Numbered] = {}
    for number, one in rows:
        groups.setdefault(f"{one.data}, {ball(one.entry.norm, one.entry.eps)}", []).append((number, one))
    fronts = []
    for number, (protocol, group) in enumerate(groups.items()):
        judged_by = figures.judged_by([one.entry for _, one in group])
        if judged_by is not None:
            drawn = figures.pareto(f"pareto{number}", group, judged_by)
            joined = len(front(figures.accuracy_pairs(group, judged_by))) > 1
            hollow = any(one.entry.warning_checks for _, one in group)
            fronts.append((protocol, judged_by, [one.identity for _, one in group], drawn, joined, hollow))
    return fronts


def _pairs(comparison: Comparison) -> list[common.Pair]:
    numbers = {one.label: str(number) for number, one in enumerate(comparison.checkpoints, start=1)}
    return [
        common.Pair(
            first,
            second,
            list(rows),
            numbers=(numbers[first], numbers[second]),
            doubted=(first in comparison.doubted, second in comparison.doubted),
        )
        for (first, second), rows in groupby(comparison.differences, key=lambda row: (row.first, row.second))
    ]


def lines(comparison: Comparison) -> list[str]:
    """For the command line: the significant differences, their number, and what could not be paired."""
    texts = [
        f"{row.first} minus {row.second}, {metric(row.metric)}: {row.text}"
        for row in comparison.differences
        if row.significant
    ]
    if comparison.differences:
        texts.append(_count(comparison))
    return [*texts, *comparison.notes]


def _count(comparison: Comparison) -> str:
    rows = comparison.differences
    significant = sum(row.significant for row in rows)
    text = (
        f"{significant} of {len(rows)} paired differences are significant at the level {SIGNIFICANCE:g}, "
        "corrected for their number (McNemar's exact test, Holm); the 95 % intervals are uncorrected"
    )
    alone = sum(not row.significant and bool(disagreement(row)) for row in rows)
    if alone:
        text += f", and {alone} {'leaves' if alone == 1 else 'leave'} out 0 where no difference is shown"
    return f"{text}."
