"""The tables of attacked networks: which columns and rows they have, what is bold, and what their captions say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nas.core.statistics.paired import SIGNIFICANCE
from nas.report.pairing import Checkpoint
from nas.report.paper.escape import Tex, ball, breakable, tex
from nas.report.paper.material import Material, Paper
from nas.report.paper.table import MISSING, Cell, Table, accuracy_cell
from nas.report.render import distinct
from nas.report.wording import (
    attack,
    listed,
    metric,
    probability,
    signed_interval,
    signed_points,
    thousands,
)
from nas.results import (
    CLEAN,
    UNKNOWN,
    WORST_CASE,
    EvalResult,
)


def network_tables(paper: Paper) -> Iterator[Table]:
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


def difference_tables(paper: Paper) -> Iterator[Table]:
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
    return [*sentences, _seeds(paper.materials)]


def _seeds(materials: Sequence[Material]) -> str:
    seeds = distinct(one.run.settings.get("seed") for one in materials if one.run.evaluations)
    words = [str(seed) for seed in seeds if seed is not None]
    return f"{'Seed' if len(words) == 1 else 'Seeds'}: {listed(words)}." if words else ""
