"""`nas tables search`: what search strategies find on a published table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import typer

from nas.cli.output import Json, output
from nas.cli.workers import Address, OnExecutor, Workers, spread


def command(
    robustness: Path = typer.Option(None, metavar="DIR", help="The robustness dataset (Jung et al. 2023): its folder."),
    dataset: str = typer.Option("cifar10", help="Which data set of the tables."),
    accuracy: Path = typer.Option(
        None, metavar="FILE", help="NAS-Bench-201 accuracies (CSV, or NATS-Bench's own); columns accuracy:NAME."
    ),
    robbench: Path = typer.Option(None, metavar="CSV", help="NAS-RobBench-201; columns robbench:NAME."),
    latency: Path = typer.Option(None, metavar="FILE", help="HW-NAS-Bench (CSV, pickle); columns edgegpu_latency, ..."),
    scores: Path = typer.Option(None, metavar="FILE", help="Proxy scores, of `nas score --output`; scores:NAME."),
    objective: str = typer.Option(
        "fgsm@1",
        help="Columns, or params and flops, separated by commas: one search each. a+b is one search for both goals "
        "(nsga2), :min or :max after a name gives another direction than its own.",
    ),
    strategy: str = typer.Option("random,evolution,local", help="Names from `nas list strategies`."),
    queries: int = typer.Option(300, help="Classes of isomorphic cells that a run may look up."),
    seeds: int = typer.Option(100, help="Runs of each strategy."),
    seed: int = typer.Option(0, help="Of all runs; each has its own from it."),
    ask: int = typer.Option(1, help="Architectures that a strategy proposes at once."),
    workers: int = Workers,
    executor: str = OnExecutor,
    address: str = Address,
    columns: str = typer.Option("", help="Columns to show of the best found, as in `nas tables correlate`."),
    cheap: str = typer.Option(None, metavar="NAME", help="The cheap objective of warm-up and moves: params, a column."),
    features: str = typer.Option("graph", help="What predictors see: graph (of the cell), and columns: scores:nwot."),
    options: list[str] = typer.Option([], "--set", metavar="STRATEGY.KEY=VALUE", help="An option; may be repeated."),
    csv: Path = typer.Option(None, metavar="FILE", help="Write the table as CSV."),
    plot: Path = typer.Option(None, metavar="FILE", help="Write the regret over queries (.png, .svg, .pdf)."),
    as_json: bool = Json,
) -> None:
    """Search strategies on published tables: mean and standard deviation, over seeds, of the best that each finds.

    Runs differ in their seed only; a class of isomorphic cells is looked up once, and what the tables lack costs
    nothing. Of several goals at once, the best is that of the largest mean of the goals, each scaled to the table's
    range, and regret is the share of the Pareto front's hypervolume that is missing. Examples:
    `nas tables search --robustness robustness-dataset --objective clean,fgsm@1 --plot regret.png`;
    `nas tables search --robustness robustness-dataset --objective clean+params:min --strategy nsga2`.
    """
    from nas.cli.counting import counting
    from nas.core.errors import InputError
    from nas.core.io.files import write_atomic, write_text
    from nas.studies.plots.heatmap import KINDS
    from nas.studies.plots.regret import regret_curves
    from nas.studies.search import Study, csv_rows, table_search
    from nas.tables import TableSettings

    given = {"robustness": robustness, "accuracy": accuracy, "robbench": robbench, "latency": latency, "scores": scores}
    if not any((robustness, accuracy, robbench, latency)):
        raise InputError(
            "Expected a table to search on but got none; give --robustness, --accuracy, --robbench or --latency."
        )
    how = spread(workers, executor, address)
    if plot is not None and plot.suffix.lower() not in KINDS:
        raise InputError(f"Expected --plot to end in {', '.join(KINDS)} but got {str(plot)!r}.")
    for path in (csv, plot):
        if path is not None and path.is_dir():
            raise InputError(f"Expected a file to write but {path} is a folder.")
        if path is not None and path.resolve() in [read.resolve() for read in given.values() if read]:
            raise InputError(f"Expected another file to write than {path}, which is to be read.")
    study = Study(
        _words(objective),
        _words(strategy),
        queries,
        seeds,
        seed,
        ask,
        tuple(_words(columns)),
        cheap,
        tuple(options),
        tuple(_words(features)),
    )
    study.check()
    paths: dict[str, Any] = {name: str(path) for name, path in given.items() if path is not None}
    if scores is not None:
        paths["scores"] = [paths["scores"]]
    tables = TableSettings(dataset=dataset, **paths).open()
    total = len(study.objectives) * len(study.strategies) * seeds
    with output(as_json) as out:
        with counting("search", total) as counter:
            found = table_search(tables, study, how, lambda runs: counter.update(runs, 0))
        result = {"dataset": dataset, **found}
        if csv is not None:
            write_text(csv, csv_rows(result))
        if plot is not None:
            kind = plot.suffix.lower()
            write_atomic(plot, lambda file: file.write(regret_curves(result, kind)))
        out.emit(result, _text(result))
        for path in (csv, plot):
            if path is not None:
                print(f"written: {path}", file=sys.stderr)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _text(result: dict[str, Any]) -> str:
    """For people: the best found, mean ± standard deviation, one block of strategies per objective."""
    columns, optimum = result["columns"], result["optimum"]
    percent = {name for name in columns if _is_share(result, name)}
    rows: list[tuple[str, list[str]]] = [("optimum", [_shown(optimum[c], None, c in percent) for c in columns])]
    tail = []
    for objective, entry in result["objectives"].items():
        rows.append((objective, [""] * len(columns)))
        for name, cells in entry["strategies"].items():
            values = [_shown(cells[c]["mean"], cells[c]["sd"], c in percent) for c in columns]
            rows.append((f"  {name}", values))
            reached = cells["queries_to_optimum"]
            after = "" if reached["median"] is None else f", in the median after {reached['median']:g} queries"
            tail.append(
                f"{objective}, {name}: optimum found by {reached['found']:.0%} of runs{after}; "
                f"{cells['seconds']:.1f} s of computing"
            )
    head = (
        f"{result['n_classes']:,} classes of {result['dataset']}; {result['seeds']} runs of {result['queries']} "
        "queries; of the best found, mean ± standard deviation"
    )
    note = f"in percent: {', '.join(name for name in columns if name in percent)}" if percent else ""
    return "\n".join([head, note, *_aligned(columns, rows), "", *tail]).replace("\n\n\n", "\n\n")


def _is_share(result: dict[str, Any], column: str) -> bool:
    """Whether all numbers of a column lie in [0, 1]."""
    cells = [cells[column]["mean"] for entry in result["objectives"].values() for cells in entry["strategies"].values()]
    return all(value is None or 0 <= value <= 1 for value in [result["optimum"][column], *cells])


def _shown(mean: float | None, sd: float | None, percent: bool) -> str:
    if mean is None:
        return "-"
    scale = 100 if percent else 1
    digits = ",.2f" if abs(mean * scale) < 10_000 else ",.0f"
    text = f"{mean * scale:{digits}}"
    return text if sd is None else f"{text} ± {sd * scale:{digits}}"


def _aligned(columns: list[str], rows: list[tuple[str, list[str]]]) -> list[str]:
    """Rows under their columns, as many side by side as the terminal has room for."""
    first = max(len(name) for name, _ in rows)
    widths = [max(len(column), *(len(cells[at]) for _, cells in rows)) for at, column in enumerate(columns)]
    room = shutil.get_terminal_size((120, 24)).columns - first
    parts: list[list[int]] = [[]]
    for at in range(len(columns)):
        if parts[-1] and sum(widths[other] + 2 for other in [*parts[-1], at]) > room:
            parts.append([])
        parts[-1].append(at)
    lines = []
    for part in parts:
        lines.append("")
        lines.append(" " * first + "".join(f"  {columns[at]:>{widths[at]}}" for at in part))
        lines += [
            (f"{name:<{first}}" + "".join(f"  {cells[at]:>{widths[at]}}" for at in part)).rstrip()
            for name, cells in rows
        ]
    return lines
