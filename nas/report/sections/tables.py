"""The tables of a report: results by model, paired differences, the best of the search, times."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import groupby

from nas.report.facts import Facts
from nas.report.identity import TRAININGS, Identity
from nas.report.wording import (
    attack,
    duration,
    interval,
    metric,
    norm,
    percent,
    points,
    probability,
    radius,
    value,
)
from nas.results import (
    WORST_CASE,
    AttackResult,
    Difference,
    EvalResult,
    Interval,
    SupernetEpoch,
    TransferResult,
    WorstCase,
)
from nas.runs.difference_wording import verdict

Columns = list[AttackResult | WorstCase | None]  # None: not attacked so
STAGES = {"search": "search", "train": "training", "eval": "attacks"}
FOREST = (230, 18)  # width and height of the drawing of one interval


def scrolling(table: str) -> str:
    return f'<div class="scroll">{table}</div>'


def results(facts: Facts) -> str:
    """One row per model: weights, accuracies with their 95% intervals, HRS under each attack and in the worst case."""
    columns = [_columns(entry) for entry in facts.entries]
    attacks = list(dict.fromkeys(name for one in columns for name in one))
    radii = list(dict.fromkeys(f"\u03b5 = {radius(entry.eps)}" for entry in facts.entries))
    norms = " and ".join(dict.fromkeys(norm(entry.norm) for entry in facts.entries))
    titles = "".join(f"<th>{escape(attack(name))}</th>" for name in attacks)
    head = (
        '<thead><tr><th rowspan="2" class="name">model</th><th rowspan="2">weights</th><th rowspan="2">'
        "clean<br>accuracy</th>"
        f'<th colspan="{len(attacks)}" class="group">robust accuracy, {escape(norms)}, {", ".join(radii)}</th>'
        f'<th colspan="{len(attacks)}" class="group">HRS under</th></tr><tr>{titles * 2}</tr></thead>'
    )
    rows = "".join(
        _result(entry, facts.models[entry.name], [one.get(name) for name in attacks])
        for entry, one in zip(facts.entries, columns)
    )
    return scrolling(f"<table>{head}<tbody>{rows}</tbody></table>")


def _columns(entry: EvalResult) -> dict[str, AttackResult | WorstCase]:
    """The attacks, and the worst case where it is of several."""
    worst = entry.worst_of_several
    return {**entry.attacks, **({} if worst is None else {WORST_CASE: worst})}


def _result(entry: EvalResult, model: Identity, columns: Columns) -> str:
    head = f'<th class="name">{model.swatch}{escape(model.label)}</th><td>{entry.params:,}</td>'
    return f"<tr>{head}{share(entry.clean, entry.clean_interval)}{robust(columns)}</tr>"


def robust(columns: Columns) -> str:
    """The cells of accuracies under attacks, and then those of their scores."""
    cells = ["<td></td>" if one is None else share(one.accuracy, one.interval) for one in columns]
    cells += ["<td></td>" if one is None else f"<td>{percent(one.hrs)}</td>" for one in columns]
    return "".join(cells)


def share(fraction: float, bounds: Interval) -> str:
    """A table's cell with an accuracy and its interval."""
    return f"<td>{percent(fraction)}<small>{interval(bounds)}</small></td>"


def differences(facts: Facts) -> str:
    """Paired differences in points, drawn on one scale, with their p-values and verdicts after correction."""
    low = min([0.0, *(row.interval.low for row in facts.differences)])
    high = max([0.0, *(row.interval.high for row in facts.differences)])
    room = 0.04 * (high - low) or 1.0
    scale = (low - room, high + room)
    body = []
    for (first, second), rows in groupby(facts.differences, key=lambda row: (row.first, row.second)):
        one, other, shared = _compared(facts, first, second)
        body.append(
            f'<tr class="pair"><th colspan="6"><b>{escape(one)}</b> minus <b>{escape(other)}</b>'
            f"{escape(shared)}</th></tr>"
        )
        body += [_difference(row, one, other, scale) for row in rows]
    head = (
        '<thead><tr><th class="name">accuracy</th><th>difference and uncorrected 95% interval</th>'
        '<th aria-label="drawn"></th><th>p, exact</th><th>p, corrected</th><th class="name">verdict</th></tr></thead>'
    )
    return scrolling(f'<table class="differences">{head}<tbody>{"".join(body)}</tbody></table>')


def _compared(facts: Facts, first: str, second: str) -> tuple[str, str, str]:
    """What differs between two models, and what they share."""
    a, b = facts.models.get(first), facts.models.get(second)
    if a is None or b is None or (a.cell != b.cell and a.training != b.training):
        return first, second, ""
    if a.cell == b.cell:
        return (
            TRAININGS.get(a.training, a.training),
            TRAININGS.get(b.training, b.training),
            f", {a.cell} cell",
        )
    return a.cell, b.cell, f", {TRAININGS.get(a.training, a.training)} training"


def _difference(row: Difference, one: str, other: str, scale: tuple[float, float]) -> str:
    kind = "shown" if row.shown else "unshown"
    said = verdict(row, f"{one if row.difference > 0 else other} is better")
    p_values = "".join(f"<td>{escape(probability(p))}</td>" for p in (row.p, row.corrected))
    return (
        f'<tr class="{kind}"><th class="name">{escape(metric(row.metric))}</th><td>'
        f"{escape(points(row))}</td>"
        f'<td class="forest">{forest(row, scale)}</td>{p_values}<td class="name">{escape(said)}</td></tr>'
    )


def forest(row: Difference, scale: tuple[float, float]) -> str:
    """The interval as a bar and the difference as a dot, against 0."""
    width, height = FOREST
    zero, low, high, middle = (
        round(width * (number - scale[0]) / (scale[1] - scale[0]), 1) for number in (0.0, *row.interval, row.difference)
    )
    y = height / 2
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
        f'<path d="M{zero:g} 0V{height}" class="zero"/><path d="M{low:g} {y:g}H{high:g}" class="bar"/>'
        f'<circle cx="{middle:g}" cy="{y:g}" r="4"/></svg>'
    )


def checks(entries: list[EvalResult], models: Mapping[str, Identity]) -> str:
    """Whether each network's accuracies under attack can be believed: verdicts with their reasons."""
    if not entries:
        return ""
    rows = "".join(
        f'<tr><th class="name">{escape(models[entry.name].label)}</th><td class="name">{escape(one.ok)}</td>'
        f'<td class="name">{escape(one.name)}</td><td class="name">{escape(one.reason)}</td></tr>'
        for entry in entries
        for one in entry.checks
    )
    titles = "".join(f'<th class="name">{title}</th>' for title in ("model", "verdict", "check", "reason"))
    return scrolling(f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>")


def transfer(result: TransferResult) -> str:
    """The matrices of `nas transfer`, one table per attack, and the verdict on each."""
    names = [network.name for network in result.networks]
    parts = []
    for (name, one), judged in zip(result.attacks.items(), result.checks):
        rows = [("clean", [*zip(result.clean.accuracy.values(), result.clean.intervals.values())])]
        rows += [(source, [*zip(*both)]) for source, *both in zip(names, one.accuracy, one.intervals)]
        body = ""
        for source, cells in rows:
            drawn = (
                share(*cell).replace("<td>", "<td><b>", 1).replace("<small>", "</b><small>", 1)
                if source == target
                else share(*cell)
                for target, cell in zip(names, cells)
            )
            body += f'<tr><th class="name">{escape(source)}</th>{"".join(drawn)}</tr>'
        titles = "".join(f"<th>{escape(title)}</th>" for title in names)
        head = f'<thead><tr><th class="name">{escape(attack(name))}</th>{titles}</tr></thead>'
        said = f'<p class="note">{escape(judged.ok)}: {escape(judged.reason)}</p>'
        parts.append(scrolling(f"<table>{head}<tbody>{body}</tbody></table>") + said)
    return "".join(parts)


def best(facts: Facts) -> str:
    """The best cells of the search with their scores; of several goals the Pareto front."""
    found = facts.search
    if not found:
        return ""
    names = [goal.name for goal in found.goals if any(one.metrics.get(goal.name) is not None for one in found.top)]
    rows = "".join(
        f'<tr><td>{rank}</td>{_cells(one.metrics, names)}<td class="name"><code>{escape(one.arch)}</code></td></tr>'
        for rank, one in enumerate(found.top, start=1)
    )
    titles = "".join(f"<th>{escape(name)}</th>" for name in names)
    head = f'<thead><tr><th>rank</th>{titles}<th class="name">architecture</th></tr></thead>'
    return scrolling(f"<table>{head}<tbody>{rows}</tbody></table>")


EPOCH = {  # of the log of a supernet search: key → title
    "epoch": "epoch",
    "weight_loss": "loss of the weights",
    "alpha_loss": "loss of α",
    "val_accuracy": "validation accuracy",
    "val_robust_accuracy": "robust",
    "seconds": "seconds",
}


def epochs(log: list[SupernetEpoch]) -> str:
    """The log of a supernet search: losses, accuracies, entropy of α, skip connections, the architecture so far."""
    rows = [epoch.to_json() for epoch in log]
    keys = [key for key in EPOCH if any(row.get(key) is not None for row in rows)]
    keys[-1:-1] = [key for key in rows[-1] if key.startswith(("entropy_", "skips_"))]
    titles = "".join(f"<th>{escape(EPOCH.get(key, key.replace('_', ' ')))}</th>" for key in keys)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{'' if row.get(key) is None else value(row[key])}</td>" for key in keys)
        + f'<td class="name"><code>{escape(row["architecture"])}</code></td></tr>'
        for row in rows
    )
    head = f'<thead><tr>{titles}<th class="name">architecture</th></tr></thead>'
    return scrolling(f"<table>{head}<tbody>{body}</tbody></table>")


def _cells(metrics: Mapping[str, float | None], names: list[str]) -> str:
    return "".join(f"<td>{'' if (one := metrics.get(name)) is None else value(one)}</td>" for name in names)


def failures(facts: Facts) -> str:
    """Why evaluations failed, each reason with how often."""
    if not facts.failures:
        return ""
    items = "".join(f"<li>{count}\u00d7 {escape(reason)}</li>" for reason, count in facts.failures.items())
    title = f"Why {sum(facts.failures.values()):,} failed"
    return f'<details class="failures"><summary>{title}</summary><ul>{items}</ul></details>'


def seconds(facts: Facts) -> str:
    """Wall time of each stage; that of writing this very report is left out."""
    stages = {name: spent for name, spent in facts.seconds.items() if name not in ("total", "report")}
    if not stages:
        return ""
    known = sorted(stages, key=lambda name: (list(STAGES).index(name) if name in STAGES else len(STAGES), name))
    longest = max(stages.values()) or 1.0
    rows = "".join(
        f'<tr><th class="name">{escape(STAGES.get(name, name))}</th><td>{duration(stages[name])}</td>'
        f'<td class="meter"><i style="width:{100 * stages[name] / longest:.1f}%"></i></td></tr>'
        for name in known
    )
    total = duration(sum(stages.values()))
    last = f'<tr class="total"><th class="name">total</th><td>{total}</td><td></td></tr>'
    return scrolling(f'<table class="times"><tbody>{rows}{last}</tbody></table>')


def pairs(values: Mapping[str, object]) -> str:
    """Names and values side by side."""
    rows = "".join(
        f'<tr><th class="name">{escape(str(key))}</th><td><code>{escape(str(item))}</code></td></tr>'
        for key, item in values.items()
    )
    return scrolling(f"<table><tbody>{rows}</tbody></table>")
