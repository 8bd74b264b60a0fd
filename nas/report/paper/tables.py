"""The values of the LaTeX tables: which columns and rows they have, what is bold, and what their captions say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from nas.core.statistics.paired import SIGNIFICANCE
from nas.report.identity import METHOD_LABELS
from nas.report.pairing import Checkpoint
from nas.report.paper.escape import Tex, ball, breakable, code, tex
from nas.report.paper.material import Material, Paper
from nas.report.paper.table import MISSING, Cell, Table, accuracy_cell, percent
from nas.report.render import distinct
from nas.report.wording import (
    attack,
    listed,
    metric,
    probability,
    signed_interval,
    signed_points,
    thousands,
    value,
)
from nas.results import (
    CLEAN,
    UNKNOWN,
    WORST_CASE,
    DpsResult,
    EvalResult,
    SearchResult,
    StudyResult,
    TrainResult,
    TransferResult,
)

MAX_FOUND = 10  # architectures of a search in its table


def tables(paper: Paper) -> list[Table]:
    """A table for all networks that were attacked alike on the same images, one for their paired differences, and one
    for each other result.
    """
    found = [*_networks(paper), *_differences(paper), *chain.from_iterable(map(_of_run, paper.materials))]
    labels = [one.label for one in found]
    return [
        replace(one, label=f"{one.label}-{labels[:at].count(one.label) + 1}") if labels.count(one.label) > 1 else one
        for at, one in enumerate(found)
    ]


def _networks(paper: Paper) -> Iterator[Table]:
    groups: dict[object, list[Checkpoint]] = {}
    for one in paper.networks.checkpoints:
        groups.setdefault((one.data, one.entry.fingerprint, one.entry.n_test, one.attack_settings), []).append(one)
    for group in groups.values():
        best = {name: _best(paper, group, name) for name in _accuracies(group)}
        rows = [(paper.names[one.label], _cells(one, group, best)) for one in group]
        attacks = distinct(name for one in group for name in one.entry.worst_case.attacks)
        columns = ["weights", *map(metric, best), *_corrupted(group)]
        scores = [*map(attack, _robust(group)), *_corrupted(group)]
        about = _about(paper, group, attacks)
        yield Table("tab:robustness", about, "network", [*columns, *scores], rows, len(columns))


def _differences(paper: Paper) -> Iterator[Table]:
    """The difference of every two networks that can be paired, image by image."""
    found = paper.networks.differences
    doubted = paper.networks.doubted
    rows: list[tuple[str, Sequence[Cell]]] = []
    pairs: list[tuple[str, str]] = []
    for one in found:
        pair = (one.first, one.second)
        name = Tex(r" $-$ ").join(breakable(paper.names[label]) for label in pair) if pair not in pairs else ""
        pairs.append(pair)
        numbers = [signed_points(one.difference), signed_interval(one.interval)]
        better = one.first if one.difference > 0 else one.second
        shown = one.significant and (one.metric == CLEAN or better not in doubted)
        last = Cell(probability(one.corrected), bold=shown)
        rows.append((Tex(name), [Cell(metric(one.metric)), *map(Cell, numbers), last]))
    if rows:
        about = (
            "Paired differences in points between the accuracies of two networks, with uncorrected 95 % intervals, "
            "and p of McNemar's exact test after Holm's correction for "
            f"{'this one difference' if len(found) == 1 else f'all {len(found):,} differences'}. "
            f"Bold: below {SIGNIFICANCE:g}{', unless checks warn for the better network' if doubted else ''}."
        )
        sentences = [about, *_warned([paper.names[label] for label in doubted])]
        columns = ["accuracy", "difference", "interval", "p"]
        yield Table("tab:differences", sentences, "networks", columns, rows)


def _warned(doubted: Sequence[str], further: str = "") -> list[str]:
    """A sentence that names the networks of which a check warns, if there are any."""
    if not doubted:
        return []
    return [
        f"Checks of the attacks warn for {listed(list(doubted))}: accuracies and scores under attack are upper bounds"
        f"{further}."
    ]


def _accuracies(group: Sequence[Checkpoint]) -> list[str]:
    return [CLEAN, *_robust(group)]


def _robust(group: Sequence[Checkpoint]) -> list[str]:
    """The attacks, and the worst case if some network has one of several attacks."""
    worst = [WORST_CASE] if any(one.entry.worst_of_several for one in group) else []
    return distinct(name for one in group for name in one.entry.attacks) + worst


def _corrupted(group: Sequence[Checkpoint]) -> list[str]:
    return ["corruptions"] if any(one.entry.corruptions for one in group) else []


def _has(entry: EvalResult, name: str) -> bool:
    return name == CLEAN or name in entry.attacks or (name == WORST_CASE and entry.worst_of_several is not None)


def _cells(one: Checkpoint, group: Sequence[Checkpoint], best: dict[str, str | None]) -> list[Cell]:
    entry, cells = one.entry, [Cell(thousands(one.entry.params) if one.entry.params >= 0 else MISSING)]
    for name in best:
        cells.append(
            accuracy_cell(*entry.accuracy(name), best[name] == one.label) if _has(entry, name) else Cell(MISSING)
        )
    corrupted = entry.corruptions
    if _corrupted(group):
        cells.append(accuracy_cell(corrupted.mean, corrupted.interval) if corrupted else Cell(MISSING))
    for name in _robust(group):
        attacked = (entry.worst_case if name == WORST_CASE else entry.attacks[name]) if _has(entry, name) else None
        cells.append(accuracy_cell(None if attacked is None else attacked.hrs))
    if _corrupted(group):
        cells.append(accuracy_cell(None if corrupted is None else corrupted.hrs))
    return cells


def _best(paper: Paper, group: Sequence[Checkpoint], name: str) -> str | None:
    """The label of the network that is significantly better than every other of its table; None if there is none.

    Under attack it is none of which a check warns.
    """
    better = dict.fromkeys((one.label for one in group), 0)
    for row in paper.networks.differences:
        if row.metric == name and row.significant and row.first in better and row.second in better:
            better[row.first if row.difference > 0 else row.second] += 1
    doubted = [] if name == CLEAN else paper.networks.doubted
    winners = [label for label, count in better.items() if len(group) > 1 and count == len(group) - 1]
    return next((label for label in winners if label not in doubted), None)


def _about(paper: Paper, group: Sequence[Checkpoint], attacks: Sequence[str]) -> list[str]:
    first = group[0]
    sentences = [
        Tex(
            f"Accuracy in percent on {tex(thousands(first.entry.n_test))} test images of {tex(first.data)}, clean and "
            f"under {tex(listed([attack(name) for name in attacks]))} ({ball(first.entry.norm, first.entry.eps)}), "
            "with 95\\,\\% Wilson intervals."
        ),
        "HRS: harmonic mean of clean and robust accuracy.",
    ]
    if _corrupted(group):
        counts = distinct(one.entry.corruptions.n_test for one in group if one.entry.corruptions)
        sentences.append(
            f"Corruptions: the mean over types and severities, {listed(list(map(thousands, counts)))} images."
        )
    count = len(paper.networks.differences)
    if len(group) > 1 and count:
        sentences.append(
            f"Bold: better than every other network of this table, by McNemar's exact test at {SIGNIFICANCE:g} after "
            f"Holm's correction for {count:,} differences; scores are not tested."
        )
    doubted = [paper.names[one.label] for one in group if one.entry.warning_checks]
    sentences += _warned(doubted, ", and never bold" if len(group) > 1 and count else "")
    foreign = [paper.names[one.label] for one in group if one.entry.training == UNKNOWN]
    if foreign:
        verb = "was" if len(foreign) == 1 else "were"
        sentences.append(f"How {listed(foreign)} {verb} trained is not known.")
    return [*sentences, seeds_of(paper.materials)]


def seeds_of(materials: Sequence[Material]) -> str:
    seeds = distinct(one.run.settings.get("seed") for one in materials if one.run.evaluations)
    words = [str(seed) for seed in seeds if seed is not None]
    return f"{'Seed' if len(words) == 1 else 'Seeds'}: {listed(words)}." if words else ""


def _of_run(material: Material) -> Iterator[Table]:
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
    searched = "epochs" if result.supernet else "classes of architectures"
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
