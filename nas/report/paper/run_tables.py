"""The tables of what runs give besides attacked networks: seeds, searches, trainings, transfers, DPS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas.report.identity import METHOD_LABELS
from nas.report.paper.escape import Tex, ball, breakable, code, tex
from nas.report.paper.material import Material
from nas.report.paper.table import MISSING, Cell, Table, accuracy_cell, percent
from nas.report.render import distinct
from nas.report.wording import (
    attack,
    listed,
    metric,
    thousands,
    value,
)
from nas.results import (
    DpsResult,
    SearchResult,
    StudyResult,
    TrainResult,
    TransferResult,
)

MAX_FOUND = 10  # architectures of a search in its table


def run_tables(material: Material) -> Iterator[Table]:
    run, result = material.run, material.run.result
    if isinstance(result, StudyResult):
        yield _study(result)
    if isinstance(result, SearchResult):
        yield _search(result, run.space, run.settings.get("seed"))
    if isinstance(result, TrainResult):
        yield _training(result, run.data, run.settings.get("seed"))
    if isinstance(result, TransferResult):
        yield from _transfer(result)
    if isinstance(result, DpsResult):
        yield _dps(result)


def _study(result: StudyResult) -> Table:
    seeds = len(result.seeds)
    names = list(result.models[0].metrics)
    rows = []
    for model in result.models:
        found = [model.metrics.get(name) for name in names]
        cells = [
            Cell(MISSING) if one is None else Cell(percent(one.mean), "" if one.sd is None else f"± {100 * one.sd:.1f}")
            for one in found
        ]
        cell = model.name.rpartition("-")[0] or model.name
        rows.append((f"{cell}, {METHOD_LABELS.get(model.training, model.training)}", cells))
    attacks = [attack(name) for name in names if f"hrs:{name}" in names and name != "corruptions"]
    mean = "Mean and standard deviation" if seeds > 1 else "Mean"
    seed_list = listed(list(map(str, result.seeds)))
    about = Tex(
        f"{mean} over {seeds} seeds ({tex(seed_list)}), each a whole run, of the accuracy in percent on "
        f"{tex(thousands(result.n_test))} test images of {tex(result.data)}, clean and under {tex(listed(attacks))} "
        f"({ball(result.norm, result.eps)})."
    )
    last = "HRS: harmonic mean of clean and robust accuracy. No number is bold, as tests over seeds are not corrected."
    return Table("tab:seeds", [about, last], "network", list(map(metric, names)), rows)


def _search(result: SearchResult, space: str, seed: object) -> Table:
    names = distinct(name for one in result.top for name in one.metrics)
    top = result.top[:MAX_FOUND]
    rows = [
        (
            code(one.arch),
            [Cell(MISSING if (number := one.metrics.get(name)) is None else value(number)) for name in names],
        )
        for one in top
    ]
    one, many = ("epoch", "epochs") if result.supernet else ("class of architectures", "classes of architectures")
    searched = one if result.evaluated == 1 else many
    kept = "The Pareto front" if len(result.goals) > 1 else "The best architectures"
    some = f", the first {len(top)} of {len(result.top):,}" if len(top) < len(result.top) else ""
    sentences = [f"{kept} of a search in {space} by {result.objective} after {result.evaluated:,} {searched}{some}."]
    if seed is not None:
        sentences.append(f"Seed: {seed}.")
    return Table("tab:search", sentences, "architecture", names, rows)


def _training(result: TrainResult, data: str, seed: object) -> Table:
    names = list(result.validation)
    cells = [accuracy_cell(result.validation[name]) for name in names]
    method = METHOD_LABELS.get(result.training, result.training)
    about = (
        f"Accuracy in percent on the validation part of {data} after epoch {result.chosen_epoch} of {result.epochs} of "
        f"{method} training."
    )
    columns = [name.removeprefix("val_").replace("_", " ") for name in names]
    seeds = [] if seed is None else [f"Seed: {seed}."]
    return Table("tab:training", [about, *seeds], "architecture", columns, [(code(result.arch), cells)])


def _transfer(result: TransferResult) -> Iterator[Table]:
    names = [network.name for network in result.networks]
    for name, matrix in result.attacks.items():
        rows: list[tuple[str, Sequence[Cell]]] = [
            (attacked, [accuracy_cell(*one) for one in zip(accuracies, intervals)])
            for attacked, accuracies, intervals in zip(names, matrix.accuracy, matrix.intervals)
        ]
        about = Tex(
            f"Accuracy in percent of each network (columns) on the adversarial examples of {tex(attack(name))} "
            f"({ball(result.norm, result.eps)}) made for another (rows), {tex(thousands(result.n_test))} test images "
            f"of {tex(result.data)}, with 95\\,\\% Wilson intervals."
        )
        yield Table("tab:transfer", [about], "attacked", [breakable(one) for one in names], rows)


def _dps(result: DpsResult) -> Table:
    labels = result.labels
    columns = [f"rank correlation, {labels.count} architectures of the search"]
    rows = {"as configured": [labels.spearman_plain], "found": [labels.spearman]}
    if held_out := result.held_out:
        columns += [f"rank correlation, {held_out.count} others", "share of the best tenth found"]
        rows["as configured"] += [held_out.plain.spearman, held_out.plain.top10]
        rows["found"] += [held_out.dps.spearman, held_out.dps.top10]
    cells = [
        (name, [Cell(f"{number:.3f}".replace("-", "\u2212")) for number in numbers]) for name, numbers in rows.items()
    ]
    about = f"Spearman's rank correlation of Eproxy with accuracies, after {result.evaluated:,} evaluated settings."
    return Table("tab:eproxy", [about], "setting", columns, cells)
