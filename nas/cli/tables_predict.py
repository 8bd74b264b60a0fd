"""`nas tables predict`: how well accuracies are predicted from proxies, from the graph, or from both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from nas.cli.output import Json, output
from nas.cli.workers import Address, OnExecutor, Workers, spread

TOP = 5  # importances shown


def command(
    robustness: Path = typer.Option(None, metavar="DIR", help="The robustness dataset (Jung et al. 2023): its folder."),
    dataset: str = typer.Option("cifar10", help="Which data set of the tables."),
    accuracy: Path = typer.Option(
        None, metavar="FILE", help="NAS-Bench-201 accuracies (CSV, or NATS-Bench's own); targets accuracy:NAME."
    ),
    robbench: Path = typer.Option(None, metavar="CSV", help="NAS-RobBench-201; targets robbench:NAME."),
    scores: list[Path] = typer.Option([], metavar="FILE", help="Proxy scores, of `nas score --output`; repeatable."),
    features: str = typer.Option("proxies", help="proxies, graph (of the cell; needs no --scores) or both."),
    proxies: str = typer.Option("", help="Proxies, separated by commas; all of the files by default."),
    model: str = typer.Option(
        "", help="forest (the paper's, default for proxies), auto (ours, default otherwise), extra-trees, kernel, ..."
    ),
    targets: str = typer.Option(
        "",
        help="Columns, separated by commas; a+b is one model for both. By default clean, each attack at 1/255, and "
        "clean with each.",
    ),
    splits: str = typer.Option("10", help="Random 80/20 splits, or paper: the one of seed 42."),
    curves: bool = typer.Option(False, "--curves", help="Also from 10, 20, 50, ..., 500 labels, 20 seeds each."),
    study: bool = typer.Option(False, "--study", help="Also without the most important feature, and with it alone."),
    seed: int = typer.Option(0, help="Of the splits and models; the paper's split has its own."),
    workers: int = Workers,
    executor: str = OnExecutor,
    address: str = Address,
    csv: Path = typer.Option(None, metavar="FILE", help="Write R², tau and importances as CSV."),
    plot: Path = typer.Option(None, metavar="FILE", help="Draw importances, or learning curves (.png, .svg, .pdf)."),
    as_json: bool = Json,
) -> None:
    """R² of predicted clean and robust accuracies on architectures left out: mean and standard deviation over splits.

    There is one architecture of each class of isomorphic cells; where nearly all scores are of the very strings that
    were measured, the few other classes are left out. The paper's protocol (Lukasik et al. 2023) is
    `--features proxies --splits paper --study`; the project's own predictor needs the cell alone. Examples:
    `nas tables predict --robustness robustness-dataset --scores scores.csv --splits paper --study --plot gini.png`;
    `nas tables predict --robustness robustness-dataset --features graph --curves --plot curves.png`.
    """
    from nas.cli.counting import counting
    from nas.core.errors import InputError
    from nas.core.io.files import write_atomic, write_text
    from nas.strategies.predictors import PREDICTORS
    from nas.studies.plots.heatmap import KINDS
    from nas.studies.plots.predictions import picture
    from nas.studies.predict import MODELS, Protocol, assemble, chosen_targets, csv_rows, predict
    from nas.tables import TableSettings, read_scores

    given = {"robustness": robustness, "accuracy": accuracy, "robbench": robbench}
    if not any(given.values()):
        raise InputError("Expected a table to predict but got none; give --robustness, --accuracy or --robbench.")
    how = spread(workers, executor, address)
    if seed < 0:
        raise InputError(f"Expected a --seed of 0 or more but got {seed}.")
    if plot is not None and plot.suffix.lower() not in KINDS:
        raise InputError(f"Expected --plot to end in {', '.join(KINDS)} but got {str(plot)!r}.")
    for path in (csv, plot):
        if path is not None and path.is_dir():
            raise InputError(f"Expected a file to write but {path} is a folder.")
        if path is not None and path.resolve() in [read.resolve() for read in (*scores, *given.values()) if read]:
            raise InputError(f"Expected another file to write than {path}, which is to be read.")
    model = model or MODELS.get(features, "forest")
    PREDICTORS.get(model)
    protocol = Protocol(model, splits, seed, curves, study)
    protocol.seeds()
    paths: dict[str, Any] = {name: str(path) for name, path in given.items() if path is not None}
    tables = TableSettings(dataset=dataset, **paths).open()
    with output(as_json) as out:
        wanted = chosen_targets(tables, _words(targets))
        files = [read_scores(path, dataset) for path in scores]
        data = assemble(tables, [c for columns in wanted.values() for c in columns], features, files, _words(proxies))
        with counting("predict", None) as counter:

            def tick(done: int, total: int) -> None:
                counter.total = total
                counter.update(done, 0)

            found = predict(data, wanted, protocol, how, tick)
        result = {"dataset": dataset, "features": features, **found}
        if csv is not None:
            write_text(csv, csv_rows(result))
        if plot is not None:
            kind = plot.suffix.lower()
            write_atomic(plot, lambda file: file.write(picture(result, kind)))
        out.emit(result, _text(result))
        for path in (csv, plot):
            if path is not None:
                print(f"written: {path}", file=sys.stderr)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _text(result: dict[str, Any]) -> str:
    """For people: R² and tau by target, then the study, then the learning curves."""
    how = "the paper's split" if result["splits"] == "paper" else f"mean ± sd of {result['splits']} splits"
    how = "one split" if result["splits"] == "1" else how
    head = (
        f"{result['n']:,} classes of {result['dataset']}; {result['model']} on {result['feature_count']} features "
        f"({result['features']}); {how}"
    )
    others = result["dropped"].get("other_member", 0)
    if others:
        head += f"\nleft out: {others:,} classes of which another member than the measured one was scored"
    study, several = result.get("study"), result["splits"] not in ("paper", "1")
    rows = [["", "R²", "Kendall's tau", *(["without", "the top feature", "it alone"] if study else [])]]
    for name in result["targets"]:
        row = [name]
        for key in ("r2", "kendall"):
            row.append(_shown(result[key][name], result[f"{key}_sd"][name] if several else None))
        if study:
            entry = study[name]
            parts = [_shown(entry[part], entry[f"{part}_sd"] if several else None) for part in ("without", "alone")]
            row += [parts[0], entry["top"], parts[1]]
        rows.append(row)
    lines = [head, "", *_aligned(rows)]
    if result["importances"]:
        lines += ["", "most important features"]
        tops = [[name, ", ".join(list(shares)[:TOP])] for name, shares in result["importances"].items()]
        lines += _aligned(tops, left=True)
    if result.get("curves"):
        for key, title in (("r2", "R²"), ("kendall", "Kendall's tau")):
            table = [["labels", *result["targets"]]]
            for size, entry in result["curves"].items():
                table.append([size, *(_shown(entry[key][t], entry[f"{key}_sd"][t]) for t in result["targets"])])
            lines += ["", f"{title} by labelled architectures", *_aligned(table)]
    return "\n".join(lines)


def _shown(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "-"
    text = f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"
    return text.replace("0.", ".")


def _aligned(rows: list[list[str]], left: bool = False) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(
            f"{cell:<{width}}" if left or at == 0 else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
