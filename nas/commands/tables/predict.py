"""`nas tables predict`: predict accuracies from proxies, from the graph, or from both."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.commands.base import Command, Option, Output
from nas.commands.tables.options import (
    EXECUTOR,
    ONE_WORKER,
    Files,
    executor_settings,
    names_in,
    output_options,
    table_options,
)
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.studies.prediction_result import PredictionResult

PRINTED_TOP = 5  # features printed per target, the most important ones


class Predict(Command):
    """Predict clean and robust accuracies of held-out architectures: mean and standard deviation of R² over splits.

    One architecture of each class of isomorphic cells is used. If the scored architecture is the measured one in nearly
    all classes, the few classes in which it is not are left out. The paper's protocol (Lukasik et al. 2023) is
    `--features proxies --splits paper --study`; the project's own predictor needs only the cell. Examples:
    `nas tables predict --robustness robustness-dataset --scores scores.csv --splits paper --study --plot gini.png`;
    `nas tables predict --robustness robustness-dataset --features graph --curves --plot curves.png`.
    """

    name, place = "tables predict", 15
    one_worker = ONE_WORKER
    arguments = (
        *table_options("targets"),
        Option("scores", "Proxy scores, a file of `nas score --output`; may be repeated.", "FILE", list[Path], ()),
        Option("features", "proxies, graph (of the cell; needs no --scores) or both.", default="proxies"),
        Option("proxies", "Proxies, separated by commas; by default all in the files.", default=""),
        Option(
            "model",
            "forest (the paper's, default for proxies), auto (ours, default otherwise), extra-trees, kernel, ...",
            default="",
        ),
        Option(
            "targets",
            "Columns, separated by commas; a+b is one model for both. By default clean, each attack at 1/255, and "
            "clean with each attack.",
            default="",
        ),
        Option("splits", "Number of random 80/20 splits, or paper: the paper's single split.", default="10"),
        Option("curves", "Also predict from 10, 20, 50, ..., 500 labels, 20 seeds each.", type=bool, default=False),
        Option("study", "Fit also without the most important feature, and with it alone.", type=bool, default=False),
        Option("seed", "Seed of the splits and models; the paper's split has its own.", type=int, default=0),
        *EXECUTOR,
        *output_options("R², tau and importances", "Draw importances, or learning curves"),
    )

    def call(
        self,
        output: Output,
        dataset: str,
        space: str,
        scores: list[Path],
        features: str,
        proxies: str,
        model: str,
        targets: str,
        splits: str,
        curves: bool,
        study: bool,
        seed: int,
        workers: int | None,
        executor: str,
        address: str | None,
        csv: Path | None,
        plot: Path | None,
        **tables: Path | None,
    ) -> None:
        from nas.strategies.predictors import PREDICTORS
        from nas.studies.plots.predictions import picture
        from nas.studies.predict import MODELS, Protocol, predict
        from nas.studies.prediction_data import chosen_targets, prediction_data
        from nas.studies.prediction_result import csv_rows

        files = Files(tables, scores, csv, plot, space)
        files.check("to predict")
        how = executor_settings(workers, executor, address)
        if seed < 0:
            raise InputError(f"Expected a --seed of 0 or more but got {seed}.")
        model = model or MODELS.get(features, "forest")
        PREDICTORS.get(model)
        protocol = Protocol(model, splits, seed, curves, study)
        protocol.seeds()
        opened = files.opened(dataset)
        wanted = chosen_targets(opened, names_in(targets))
        columns = [column for columns in wanted.values() for column in columns]
        read = files.read_scores(dataset)
        data = prediction_data(opened, columns, features, read, names_in(proxies))
        with output.counting("predict", None) as counter:

            def tick(done: int, total: int) -> None:
                counter.total = total
                counter.update(done, 0)

            result = predict(data, wanted, protocol, how, tick)
        result = replace(result, dataset=files.named(dataset), features=features)
        files.write(lambda: csv_rows(result), lambda kind: picture(result, kind))
        output.emit(result.to_json(), _text(result))
        files.note(output, opened)


def _text(result: PredictionResult) -> str:
    """For people: R² and tau by target, then the study, then the learning curves."""
    from nas.report.text import table_lines

    how = "the paper's split" if result.splits == "paper" else f"mean ± sd of {result.splits} splits"
    how = "one split" if result.splits == "1" else how
    head = (
        f"{result.n:,} classes of {result.dataset}; {result.model} on {result.feature_count} features "
        f"({result.features}{f', with {result.library}' if result.library else ''}); {how}"
    )
    others = result.dropped.get("other_member", 0)
    if others:
        head += f"\nleft out: {others:,} classes in which the scored member is not the measured one"
    study, several = result.study, result.splits not in ("paper", "1")
    rows = [["", "R²", "Kendall's tau", *(["R² without", "this feature", "R² with it alone"] if study else [])]]
    for name in result.targets:
        row = [name]
        for key in ("r2", "kendall"):
            mean, sd = result.fit.spread(key, name)
            row.append(_cell(mean, sd if several else None))
        if study:
            entry = study[name]
            without = _cell(entry.without, entry.without_sd if several else None)
            row += [without, entry.top, _cell(entry.alone, entry.alone_sd if several else None)]
        rows.append(row)
    lines = [head, "", *table_lines(rows)]
    if result.importances:
        lines += ["", "most important features"]
        width = max(map(len, result.importances))
        lines += [f"{name:<{width}}  {', '.join(list(top)[:PRINTED_TOP])}" for name, top in result.importances.items()]
    if result.curves:
        for key, title in (("r2", "R²"), ("kendall", "Kendall's tau")):
            table = [["labels", *result.targets]]
            for size, fit in result.curves.items():
                table.append([size, *(_cell(*fit.spread(key, target)) for target in result.targets)])
            lines += ["", f"{title} by the number of labelled architectures", *table_lines(table)]
    return "\n".join(lines)


def _cell(mean: float | None, sd: float | None) -> str:
    if mean is None:
        return "-"
    text = f"{mean:.3f}" if sd is None else f"{mean:.3f} ± {sd:.3f}"
    return re.sub(r"\b0\.", ".", text)
