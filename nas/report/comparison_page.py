"""The page that compares evaluated checkpoints: one table, who beats whom, curves, paired differences."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from itertools import groupby
from pathlib import Path

from nas.core.io.files import write_text
from nas.core.statistics.paired import SIGNIFICANCE
from nas.report.compare import Checkpoint, ComparedDifference, Comparison
from nas.report.figures import comparison as drawn
from nas.report.figures import curves
from nas.report.frame import beside, document, section
from nas.report.identity import legend
from nas.report.sections import measured
from nas.report.sections.tables import forest, robust, scrolling, share
from nas.report.wording import (
    attack,
    ball,
    listed,
    metric,
    norm,
    points,
    probability,
    radius,
)
from nas.runs.difference_wording import correction, difference_text, disagreement, verdict

PAGE = "comparison.html"
Numbered = list[tuple[int, Checkpoint]]


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write the page to `path` and return it. The same comparison gives the same bytes."""
    write_text(path, page(comparison))
    return path


def page(comparison: Comparison) -> str:
    rows: Numbered = list(enumerate(comparison.checkpoints, start=1))
    sections = (
        _results(rows), _fronts(rows), _curves(rows), _differences(comparison), _training(rows), _measured(rows),
        _reading(comparison),
    )  # fmt: skip
    title = f"{len(rows)} checkpoints compared"
    runs = list(dict.fromkeys(one.run for _, one in rows))
    header = (
        f"<header><p>Robust architecture search</p><h1>{title}</h1><dl><div><dt>runs</dt>"
        f"<dd>{escape(listed(runs))}</dd></div></dl>{_summary(comparison)}</header>"
    )
    return document(title, header, "\n".join(filter(None, sections)))


def _summary(comparison: Comparison) -> str:
    text = _count(comparison) if comparison.differences else "No two of them can be paired image by image."
    notes = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    return f'<p class="finding">{text}</p>{notes}'


def _attacks(rows: Numbered) -> list[str]:
    return list(dict.fromkeys(key for _, one in rows for key in one.entry.attacks))


def _results(rows: Numbered) -> str:
    attacks = _attacks(rows)
    titles = "".join(f"<th>{escape(attack(key))}</th>" for key in attacks) + "<th>worst<br>case</th>"
    count = len(attacks) + 1
    head = (
        '<thead><tr><th rowspan="2">no.</th><th rowspan="2" class="name">checkpoint</th><th rowspan="2">weights</th>'
        '<th rowspan="2">images</th><th rowspan="2">ε</th>'
        '<th rowspan="2">clean<br>accuracy</th>'
        f'<th colspan="{count}" class="group">robust accuracy</th><th colspan="{count}" class="group">HRS under</th>'
        f"</tr><tr>{titles * 2}</tr></thead>"
    )
    body = "".join(_row(number, one, attacks) for number, one in rows)
    note = "In brackets the uncorrected 95% Wilson interval in percent. The numbers name checkpoints in the figures."
    return section("Results", scrolling(f"<table>{head}<tbody>{body}</tbody></table>"), note)


def _row(number: int, one: Checkpoint, attacks: list[str]) -> str:
    entry = one.entry
    cells = [
        f"<td>{number}</td>",
        f'<th class="name">{one.identity.swatch}{escape(one.identity.cell)}<small>{escape(one.training)}</small></th>',
        f"<td>{entry.params:,}</td>",
        f"<td>{entry.n_test:,}<small>{escape(one.data)}</small></td>",
        f"<td>{escape(radius(entry.eps))}<small>{escape(norm(entry.norm))}</small></td>",
        share(entry.clean, entry.clean_interval),
        robust([*(entry.attacks.get(key) for key in attacks), entry.worst_case]),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _fronts(rows: Numbered) -> str:
    """A plot for each protocol: only there are accuracies of different checkpoints on one scale."""
    parts = []
    for number, (title, group) in enumerate(_protocols(rows).items()):
        judged = drawn.judged_by([one.entry for _, one in group])
        if judged is None:
            continue
        words = legend([one.identity for _, one in group]) + (
            f"<p>{escape(title)}, robust against {escape(metric(judged))}. Bars: 95% Wilson intervals. The dashed line "
            "joins those that no other beats in both measured accuracies; the thin curves are those of equal HRS.</p>"
        )
        parts.append(beside(drawn.pareto(f"pareto{number}", group, judged), words))
    return section("Clean against robust accuracy", "".join(parts))


def _protocols(rows: Numbered) -> dict[str, Numbered]:
    groups: dict[str, Numbered] = {}
    for number, one in rows:
        entry = one.entry
        title = f"{one.data}, {ball(entry.norm, entry.eps)}"
        groups.setdefault(title, []).append((number, one))
    return groups


def _curves(rows: Numbered) -> str:
    parts = []
    for number, ((name, key), group) in enumerate(drawn.curves_by_attack(rows).items()):
        words = legend([one.identity for _, one, _ in group]) + (
            f"<p>Share of the images that are right before and after {escape(attack(key))} of radius ε "
            f"({escape(norm(name))}). Bands: 95% Wilson intervals.</p>"
        )
        parts.append(beside(drawn.curves(f"curves{number}", key, norm(name), group), words))
    return section("Robustness against the attack radius", "".join(parts))


def _training(rows: Numbered) -> str:
    records = {one.label: one.record for _, one in rows if one.record}
    models = {one.label: one.identity for _, one in rows}
    plots = []
    for key in curves.CURVES:
        holding = {label: r for label, r in records.items() if r.curve(key)}
        if holding:
            plots.append(f"<figure>{curves.training(key, holding, models)}</figure>")
    if not plots:
        return ""
    body = legend([models[label] for label in records]) + f'<div class="plots">{"".join(plots)}</div>'
    return section("Training", body, "The marked epoch is the one whose weights were kept and attacked.")


def _measured(rows: Numbered) -> str:
    models = {one.label: one.identity for _, one in rows}
    return measured.measures([replace(one.entry, name=one.label) for _, one in rows], models)


def _differences(comparison: Comparison) -> str:
    rows = comparison.differences
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in comparison.notes)
    if not rows:
        return section("Paired differences", notes)
    low, high = min(0.0, *(row.interval.low for row in rows)), max(0.0, *(row.interval.high for row in rows))
    room = 0.04 * (high - low) or 1.0
    body = []
    numbers = {one.label: number for number, one in enumerate(comparison.checkpoints, start=1)}
    for (first, second), group in groupby(rows, key=lambda row: (row.first, row.second)):
        body.append(
            f'<tr class="pair"><th colspan="7">{numbers[first]} <b>{escape(first)}</b> minus {numbers[second]} '
            f"<b>{escape(second)}</b></th></tr>"
        )
        body += [_difference(row, numbers, (low - room, high + room)) for row in group]
    head = (
        '<thead><tr><th class="name">accuracy</th><th>difference and uncorrected 95% interval</th>'
        '<th aria-label="drawn"></th><th>p, bootstrap</th><th>p, exact</th><th>p, corrected</th>'
        '<th class="name">verdict</th></tr></thead>'
    )
    table = scrolling(f'<table class="differences">{head}<tbody>{"".join(body)}</tbody></table>')
    note = "Both networks see the same images, so the difference is known better than each accuracy. " + correction(
        len(rows), "on this page"
    )
    return section("Paired differences", notes + table, note)


def _difference(row: ComparedDifference, numbers: dict[str, int], scale: tuple[float, float]) -> str:
    better = numbers[row.first if row.difference > 0 else row.second]
    said = verdict(row, f"no. {better} is better")
    values = "".join(f"<td>{escape(probability(p))}</td>" for p in (row.bootstrap, row.p, row.corrected))
    return (
        f'<tr class="{"shown" if row.shown else "unshown"}"><th class="name">{escape(metric(row.metric))}</th>'
        f'<td>{escape(points(row))}</td><td class="forest">{forest(row, scale)}</td>{values}'
        f'<td class="name">{escape(said)}</td></tr>'
    )


def _reading(comparison: Comparison) -> str:
    terms = {
        "Robust accuracy": "the share of test images that are classified rightly before <em>and</em> after the attack.",
        "Worst case": "the share of images that stand every attack of the list.",
        "HRS": "the harmonic robustness score 2·A·R / (A + R) of clean accuracy A and robust accuracy R "
        "(Devaguptapu et al., 2021).",
    }
    if comparison.differences:
        terms["Interval, p (bootstrap)"] = (
            "from resamples of the images with replacement, each with what both networks made of it: the 95% "
            "percentile interval of the difference, and twice the smaller share of resamples on one side of 0. Neither "
            "is corrected."
        )
        terms["p (exact)"] = (
            "McNemar's test: of the images on which only one of the two is right, how unlikely so uneven a split is "
            "where both are equally good. Where they differ on few images only this one can be trusted."
        )
        terms["p (corrected), verdict"] = (
            "the exact p after Holm's correction. It decides what is called shown, not the interval, which would leave "
            "out 0 by chance in 1 of 20 comparisons. "
            "Each network was trained once: what another training seed would change is in none of these."
        )
    items = "".join(f"<dt>{key}</dt><dd>{text}</dd>" for key, text in terms.items())
    return section("How to read the numbers", f'<dl class="terms">{items}</dl>')


def lines(comparison: Comparison) -> list[str]:
    """For the command line: the differences that are shown, how many are not, and what could not be paired."""
    texts = [
        f"{row.first} minus {row.second}, {metric(row.metric)}: {difference_text(row)}"
        for row in comparison.differences
        if row.shown
    ]
    if comparison.differences:
        texts.append(_count(comparison))
    return [*texts, *comparison.notes]


def _count(comparison: Comparison) -> str:
    rows = comparison.differences
    text = (
        f"{sum(row.shown for row in rows)} of {len(rows)} paired differences are shown at the level {SIGNIFICANCE:g}, "
        "corrected for their number (McNemar's exact test, Holm); the 95 % intervals are uncorrected"
    )
    alone = sum(not row.shown and bool(disagreement(row)) for row in rows)
    if alone:
        text += f", and {alone} {'leaves' if alone == 1 else 'leave'} out 0 where no difference is shown"
    return f"{text}."
