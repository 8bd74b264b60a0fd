"""The tables of the study as Markdown, from the rows that there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.studies.markdown import interval, median, number, table
from nas.studies.papers.further import ablation, doubled_inputs, predictions, sizes
from nas.studies.papers.networks import Networks
from nas.studies.papers.picking import in_words
from nas.studies.papers.plan import LABELS, SpacePlan
from nas.studies.papers.published import published
from nas.studies.papers.queries import QUERY_PLAN, queries_table
from nas.studies.papers.ranking import DPS, Gain, TaskRanking, noise_ceiling, rank, score_table
from nas.studies.papers.scoring import ABLATION_PLAN, Scores, pool_of

MIN_ROWS = 20  # networks below which nothing is shown
TITLES = {"flops": "flops (MACs)", DPS: "eproxy + DPS"}


def page(plans: Sequence[SpacePlan], size: str, rows: Path, data: Path) -> str:
    """All tables. Plans of one group stand in one section, and plans with too few rows in none."""
    pairs = [(Scores(plan, size, rows), Networks(plan, data)) for plan in plans]
    parts = [progress(pairs), sizes(pairs)]
    shown = [pair for pair in pairs if len(pair[0].proxies.rows) >= MIN_ROWS]
    for group in dict.fromkeys(scores.plan.group for scores, _ in shown):
        parts.append(section(group, [pair for pair in shown if pair[0].plan.group == group]))
    for scores, networks in pairs:
        if scores.plan.name == ABLATION_PLAN and scores.ablation.rows:
            parts.append(ablation(scores, networks))
        if scores.plan.name == QUERY_PLAN and scores.queries.rows:
            parts.append(queries_table(scores, networks))
    return "\n\n".join(parts)


def progress(pairs: Sequence[tuple[Scores, Networks]]) -> str:
    """How many of the planned rows there are, and the seconds of the processor that one takes."""
    lines = []
    for scores, networks in pairs:
        plan, there, pool = scores.plan, scores.proxies.rows, scores.pool.rows
        described = ", ".join(f"{key}={value}" for key, value in plan.scoring(scores.size).items()) or "as published"
        lines.append(
            [
                plan.full_title,
                described,
                f"{len(there)} of {len(networks.judged)}",
                median(row[0] for row in there.values()),
                f"{len(pool)} of {len(pool_of(plan, scores.size))}" if plan.settings else "–",
                median((row[0] or 0) / LABELS for row in pool.values()),
            ]
        )
    head = ["space", "scored network", "networks", "seconds each", "settings", "seconds per loss"]
    return table(head, lines)


def section(group: str, pairs: Sequence[tuple[Scores, Networks]]) -> str:
    """All proxies on all tasks of the plans of a group, one column for each task."""
    columns: dict[str, tuple[str, str, TaskRanking]] = {}
    ceilings: dict[str, str] = {}
    further = []
    for scores, networks in pairs:
        plan, whole = scores.plan, score_table(scores, networks)
        for task in plan.tasks:
            title = task if len(plan.tasks) > 1 else plan.title
            columns[title] = plan.name, task, rank(scores, networks, task, whole)
            if plan.several_runs:
                _, reliability, ceiling = noise_ceiling(networks.tables[task], plan.tasks[task][1])
                ceilings[title] = f"{number(ceiling)} ({number(reliability)})"
        if plan.space == "darts":
            further.append(f"{plan.title}:\n\n{doubled_inputs(networks, whole)}")
        if plan.predicted:
            further.append(f"Predictors, {plan.full_title}:\n\n{predictions(networks, whole)}")
    names = list(dict.fromkeys(name for *_, ranking in columns.values() for name in ranking.proxies))
    ranked = [[f"**{TITLES.get(name, name)}**", *(_rho(name, *where) for where in columns.values())] for name in names]
    ranked.append(["networks", *(str(ranking.n) for *_, ranking in columns.values())])
    if ceilings:
        ranked.append(["a perfect ranking (two strings of a class)", *(ceilings.get(title, "") for title in columns)])
    beyond = [
        [TITLES.get(name, name), *(_beyond(ranking, name) for *_, ranking in columns.values())]
        for name in names
        if name not in ("params", "flops")
    ]
    parts = [
        f"### {group}",
        table(["ρ, top 10 % · paper", *columns], ranked),
        table(["ρ given params (ρ with params)", *columns], beyond),
        *(picks(*one) for one in _by_release(columns, pairs)),
        *further,
    ]
    return "\n\n".join(part for part in parts if part)


def _by_release(
    columns: dict[str, tuple[str, str, TaskRanking]], pairs: Sequence[tuple[Scores, Networks]]
) -> list[tuple[dict[str, tuple[str, str, TaskRanking]], str]]:
    """The columns of each plan with the release's setting of Eproxy for it."""
    return [
        (
            {title: one for title, one in columns.items() if one[0] == scores.plan.name},
            pool_of(scores.plan, scores.size)[0],
        )
        for scores, _ in pairs
        if scores.plan.settings
    ]


def _rho(name: str, plan: str, task: str, ranking: TaskRanking) -> str:
    if name not in ranking.proxies:
        return ""
    one, paper = ranking.proxies[name], published(plan, task, name)
    own = f"{interval(one.correlation.spearman, one.correlation.low, one.correlation.high)}, {one.top10:.0%}"
    return own if paper is None else f"{own} · {number(paper[0])}, {paper[1]}%"


def _beyond(ranking: TaskRanking, name: str) -> str:
    if name not in ranking.proxies:
        return ""
    found = ranking.proxies[name].correlation
    partial = interval(found.partial_given_params, found.partial_low, found.partial_high)
    return f"{partial} ({number(ranking.rho_with_params.get(name))})"


def picks(columns: dict[str, tuple[str, str, TaskRanking]], release: str) -> str:
    """The setting that each task picked, and what it gains on other networks; empty if there is no pool yet."""
    lines = []
    for title, (plan, task, ranking) in columns.items():
        if ranking.picked is None:
            continue
        one, gain, paper = ranking.picked, ranking.gain, published(plan, task, DPS)
        lines.append(
            [
                title,
                in_words(one.trained, release),
                number(one.alpha),
                f"{number(one.spearman_plain)} → {number(one.spearman)}",
                *(["", "", "", ""] if gain is None else _gain(gain)),
                "" if paper is None else f"{number(paper[0])}, {paper[1]}%",
            ]
        )
    head = ["eproxy + DPS", "setting picked", "α", f"ρ of the {LABELS} labels", "networks", "ρ", "difference of ρ"]
    return table([*head, "top 10 %", "paper"], lines) if lines else ""


def _gain(gain: Gain) -> list[str]:
    difference = interval(gain.difference.value, gain.difference.low, gain.difference.high)
    return [str(gain.n), f"{number(gain.plain)} → {number(gain.dps)}", difference, f"{gain.top10:.0%}"]
