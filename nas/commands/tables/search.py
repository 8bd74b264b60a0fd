"""`nas tables search`: compare search strategies on published tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Command, Option, Output
from nas.commands.tables.options import (
    EXECUTOR,
    LATENCY,
    ONE_WORKER,
    Files,
    executor_settings,
    names_in,
    output_options,
    table_options,
)

if TYPE_CHECKING:
    from nas.studies.table_search_result import TableSearchResult


class TableSearch(Command):
    """Compare search strategies on published tables: mean and standard deviation, over seeds, of the best found.

    Runs differ only in their seed; a class of isomorphic cells is looked up once, and a class that the tables lack
    costs no query. With several goals at once, the best architecture has the largest mean of the goals, each scaled to
    its range in the table; regret is the missing fraction of the Pareto front's hypervolume. Examples:
    `nas tables search --robustness robustness-dataset --objective clean,fgsm@1 --plot regret.png`;
    `nas tables search --robustness robustness-dataset --objective clean+params:min --strategy nsga2`.
    """

    name, place = "tables search", 14
    one_worker = ONE_WORKER
    arguments = (
        *table_options("columns"),
        LATENCY,
        Option("scores", "Proxy scores, a file of `nas score --output`; columns scores:NAME.", "FILE", Path),
        Option(
            "objective",
            "Columns, or params and flops, separated by commas: one search each. a+b is one search for both goals "
            "(nsga2); :min or :max after a name replaces its own direction.",
            default="fgsm@1",
        ),
        Option("strategy", "Names from `nas list strategies`, separated by commas.", default="random,evolution,local"),
        Option(
            "queries",
            "Classes of isomorphic cells, or strings (--count), that a run may look up.",
            type=int,
            default=300,
        ),
        Option("seeds", "Runs of each strategy.", type=int, default=100),
        Option("seed", "Seed from which the seed of each run is derived.", type=int, default=0),
        Option("ask", "Architectures that a strategy proposes at once.", type=int, default=1),
        *EXECUTOR,
        Option("columns", "Columns to show for the best found, named as in `nas tables correlate`.", default=""),
        Option("cheap", "The cheap objective of a strategy's warm-up and moves: params or a column.", "NAME"),
        Option("features", "What predictors see: graph (of the cell) or columns such as scores:nwot.", default="graph"),
        Option(
            "limit",
            "A limit that is known only after a query, such as edgegpu_latency<=4; may be repeated.",
            "COLUMN<=VALUE",
            list[str],
            (),
        ),
        Option("count", "What a query is: classes of isomorphic cells, or strings.", default="classes"),
        Option("joint", "With --limit, rank candidates by the limited columns too.", type=bool, default=False),
        Option("options", "A strategy's option; may be repeated.", "STRATEGY.KEY=VALUE", list[str], (), flag="--set"),
        *output_options("the table", "Write the regret over queries"),
    )

    def call(
        self,
        output: Output,
        dataset: str,
        space: str,
        scores: Path | None,
        objective: str,
        strategy: str,
        queries: int,
        seeds: int,
        seed: int,
        ask: int,
        workers: int | None,
        executor: str,
        address: str | None,
        columns: str,
        cheap: str | None,
        features: str,
        limit: list[str],
        count: str,
        joint: bool,
        options: list[str],
        csv: Path | None,
        plot: Path | None,
        **tables: Path | None,
    ) -> None:
        from nas.studies.plots.regret import regret_curves
        from nas.studies.table_search import table_search
        from nas.studies.table_search_result import csv_rows
        from nas.studies.table_search_settings import TableSearchSettings
        from nas.studies.table_view import fractions

        files = Files(tables, [] if scores is None else [scores], csv, plot, space)
        files.check("to search on", with_scores=True)
        how = executor_settings(workers, executor, address)
        settings = TableSearchSettings(
            names_in(objective),
            names_in(strategy),
            queries,
            seeds,
            seed,
            ask,
            tuple(names_in(columns)),
            cheap,
            tuple(options),
            tuple(names_in(features)),
            tuple(limit),
            count,
            joint,
        )
        settings.check()
        opened = files.opened(dataset, with_scores=True)
        total = len(settings.objectives) * len(settings.strategies) * seeds
        with output.counting("search", total) as counter:
            result = table_search(opened, settings, how, lambda runs: counter.update(runs, 0))
        result = replace(result, dataset=files.named(dataset))
        percent = fractions(opened, result.columns)
        files.write(lambda: csv_rows(result), lambda kind: regret_curves(result, percent, kind))
        output.emit(result.to_json(), _text(result, percent))
        files.note(output, opened)


def _text(result: TableSearchResult, percent: set[str]) -> str:
    """For people: the best found, mean ± standard deviation, one block of strategies per objective.

    The columns in `percent` hold fractions and are shown in percent. Of scores that are no goal, whose direction may
    be unknown, no optimum is shown.
    """
    from nas.objectives.notation import parse
    from nas.report.text import table_lines
    from nas.tables.collection import SCORES

    columns = result.columns
    known = {term.name for objective in result.objectives for term in parse(objective)}
    optimum = {name: result.optimum[name] for name in columns if name in known or not name.startswith(SCORES)}
    rows = [["", *columns], ["optimum of each column", *(_cell(optimum.get(c), None, c in percent) for c in columns)]]
    tail = []
    for objective, entry in result.objectives.items():
        rows.append([objective, *([""] * len(columns))])
        for name, one in entry.strategies.items():
            values = [_cell(one.columns[c].mean, one.columns[c].sd, c in percent) for c in columns]
            rows.append([f"  {name}", *values])
            reached, within = one.queries_to_optimum, one.feasible
            after = "" if reached.median is None else f", after {reached.median:g} queries in the median"
            regret = _regret(one.regret[-1], objective, percent)
            tail.append(
                f"{objective}, {name}: {regret}; optimum found by {reached.found:.0%} of runs{after}; "
                f"{one.seconds:.1f} s of computing{f' with {one.library}' if one.library else ''}"
            )
            if within is not None:
                none = f"; {1 - within.runs:.0%} of runs found none" if within.runs < 1 else ""
                tail.append(f"{objective}, {name}: {within.share:.2f} of the queries within the limits{none}")
    head = (
        f"{result.n_classes:,} {result.count} of {result.dataset}; {result.seeds} runs of {result.queries} "
        "queries; mean ± standard deviation of the best found"
    )
    if result.limits:
        joint = ", which candidates are ranked by too" if result.joint else ""
        share = f"{result.feasible_share:.3f} of the {result.count} are within them"
        head += f"\nlimits: {', '.join(result.limits)}{joint}; {share}"
    note = f"in percent: {', '.join(name for name in columns if name in percent)}" if percent else ""
    return "\n".join([head, note, "", *table_lines(rows), "", *tail]).replace("\n\n\n", "\n\n")


def _regret(mean: float, objective: str, percent: set[str]) -> str:
    """The mean regret after the last query: of one goal in its unit, of several in percent of the hypervolume."""
    from nas.objectives.notation import parse

    terms = parse(objective)
    if len(terms) > 1:
        return f"mean regret {100 * mean:.2f} % of the hypervolume of the best front"
    points = terms[0].name in percent
    return f"mean regret {_cell(mean, None, points)}{' points' if points else ''}"


def _cell(mean: float | None, sd: float | None, percent: bool) -> str:
    if mean is None:
        return "-"
    scale = 100 if percent else 1
    digits = ",.2f" if abs(mean * scale) < 10_000 else ",.0f"
    text = f"{mean * scale:{digits}}"
    return text if sd is None else f"{text} ± {sd * scale:{digits}}"
