"""Compare evaluated checkpoints of several runs: paired differences, and which of them are significant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.statistics.paired import SIGNIFICANCE, holm, mcnemar, paired_bootstrap
from nas.core.storage.sqlite import SqliteStore
from nas.report.identity import Identity, identities
from nas.report.notes import doubts
from nas.report.palette import CHECKPOINTS, marker
from nas.report.run_data import evaluations_of, trained_models
from nas.report.wording import ball, listed
from nas.results import (
    CLEAN,
    PYTHON,
    UNKNOWN,
    WORST_CASE,
    ComparedDifference,
    ComparedNetwork,
    Comparison,
    EvalResult,
    Interval,
    Result,
    StudyResult,
    TrainedModel,
)
from nas.runs.difference_wording import difference_text
from nas.runs.given_model import config_or_warning, run_of
from nas.runs.run_config import read_config
from nas.runs.run_files import STORE, finished
from nas.strategies.pareto import undominated

ATTACK_SETTINGS = ("step_size", "restarts", "cascade")  # attacks of one name and radius are equal if these settings are


@dataclass(frozen=True)
class Evaluated:
    """What is to be compared: the evaluated networks of one run, or those of a run whose folder is gone."""

    name: str
    folder: Path | None
    settings: Json
    entries: list[EvalResult]

    @classmethod
    def of_run(cls, folder: Path) -> Evaluated:
        """Raises InputError if the folder holds no finished run."""
        return cls.of_result(finished(folder), folder, read_config(folder).settings)

    @classmethod
    def of_result(cls, result: Result, folder: Path | None, settings: Json) -> Evaluated:
        """Without a folder, the name is that of the network."""
        entries = evaluations_of(result)
        name = entries[0].name if entries else result.command
        return cls(name if folder is None else run_name(folder), folder, settings, entries)


@dataclass(frozen=True, eq=False)
class Checkpoint(ComparedNetwork):
    """One evaluated network of a comparison, with what its page shows besides."""

    attack_settings: tuple[Any, ...]  # attacks of one name are the same attack if these are equal
    identity: Identity
    record: TrainedModel | None  # the history of its training, if its run stored it


@dataclass(frozen=True, eq=False)
class ComparisonData(Comparison):
    """A comparison with everything that its page shows."""

    checkpoints: list[Checkpoint]


def compare(folders: Sequence[Path]) -> ComparisonData:
    """Compare every evaluated checkpoint of finished runs (`nas run`, `nas eval`) with every other.

    A folder that is given twice counts once. Raises InputError if fewer than two checkpoints were evaluated.
    """
    return compare_evaluated([Evaluated.of_run(folder) for folder in single_runs(folders)])


def compare_evaluated(given: Sequence[Evaluated]) -> ComparisonData:
    """Compare every network of `given` with every other.

    Raises InputError if there are fewer than two.
    """
    compared = compare_networks(given)
    if len(compared.checkpoints) < 2:
        raise InputError(
            f"Expected at least two evaluated checkpoints to compare but got {len(compared.checkpoints)}; "
            "evaluate another one with `nas eval` or nas.evaluate."
        )
    return compared


def compare_networks(given: Sequence[Evaluated]) -> ComparisonData:
    """The networks of `given`, and their differences; none if there are fewer than two."""
    unique = len({one.name for one in given}) == len(given)
    checkpoints: list[Checkpoint] = []
    notes = []
    for one in given:
        name = one.name if unique or one.folder is None else str(one.folder)
        if not one.entries:
            notes.append(f"{name} has no attacked network and is left out.")
        checkpoints += _checkpoints(one, name, len(checkpoints))
    warnings = [sentence for one in checkpoints for sentence in doubts(one.entry, one.label)]
    return ComparisonData(checkpoints, _differences(checkpoints), notes + _unpaired_notes(checkpoints) + warnings)


def single_runs(folders: Sequence[Path]) -> list[Path]:
    """The runs in these folders, each once; a study stands for the runs of its seeds.

    Raises InputError if a folder holds no finished run.
    """
    runs: dict[Path, Path] = {}
    for folder in folders:
        result = finished(folder)
        parts = [folder / name for name in result.runs] if isinstance(result, StudyResult) else [folder]
        runs.update({part.resolve(): part for part in parts if part.resolve() not in runs})
    return list(runs.values())


def count_checkpoints(folders: Sequence[Path]) -> int:
    """How many evaluated checkpoints these runs hold. Raises InputError if a folder holds no finished run."""
    return sum(len(evaluations_of(finished(folder))) for folder in single_runs(folders))


def run_name(folder: Path) -> str:
    """The name of a run's folder; if the run is part of a study, STUDY/RUN."""
    path = folder.resolve()
    return f"{path.parent.name}/{path.name}" if re.fullmatch(r"seed-\d+", path.name) else path.name


def paired_metrics(a: Checkpoint, b: Checkpoint) -> list[str]:
    """The metrics on which two checkpoints can be paired image by image."""
    if a.entry.fingerprint != b.entry.fingerprint:
        return []
    if a.attack_settings != b.attack_settings:
        return [CLEAN]
    common = [name for name in a.entry.correct if name in b.entry.correct]
    same_worst_case = a.entry.worst_of_several is not None and _worst_attacks(a) == _worst_attacks(b)
    return common + ([WORST_CASE] if same_worst_case else [])


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The indices of the points that no other dominates (at least as high in both coordinates, and higher in one).

    They are sorted by the first coordinate.
    """
    return sorted(map(int, undominated(np.array(points))), key=lambda index: points[index])


def _worst_attacks(one: Checkpoint) -> list[str]:
    return sorted(one.entry.worst_case.attacks)


def _checkpoints(given: Evaluated, name: str, first: int) -> list[Checkpoint]:
    """The checkpoints of a run that the comparison calls `name`; `first` is the number of checkpoints before them."""
    identity_of = identities({entry.name: entry.training for entry in given.entries})
    cells = list(dict.fromkeys(identity.cell for identity in identity_of.values()))
    checkpoints = []
    for entry in given.entries:
        cell, method = identity_of[entry.name].cell, identity_of[entry.name].method
        number = first + cells.index(cell)
        label = name if len(given.entries) == 1 else f"{name}: {cell}"
        identity = Identity(label, method, CHECKPOINTS[number % len(CHECKPOINTS)], marker(number))
        checkpoints.append(
            Checkpoint(
                _label(label, entry, identity, given),
                None if given.folder is None else str(given.folder),
                _data(given.settings["data"]),
                entry,
                _attack_settings(given.settings, entry),
                identity,
                None if given.folder is None else _record(given.folder, entry),
            )
        )
    return checkpoints


def _label(label: str, entry: EvalResult, identity: Identity, given: Evaluated) -> str:
    """`label` with what is known: the method of training, or else the source of a network that has the name of its run.

    The name of a Python object, and that of a network without a folder, already says what it is.
    """
    if identity.method != UNKNOWN:
        return f"{label} ({identity.method_label})"
    if given.folder is None:
        return label
    source = entry.source or entry.name
    known = entry.name if source.startswith(PYTHON) else source
    return label if known == label else f"{label} ({known})"


def _data(settings: Json) -> str:
    size = settings.get("size")
    return f"{settings['name']} at {size} pixels" if size else str(settings["name"])


def _attack_settings(settings: Json, entry: EvalResult) -> tuple[Any, ...]:
    chosen = settings.get("eval") or {}
    return (entry.norm, entry.eps, *(chosen.get(key) for key in ATTACK_SETTINGS))


def _record(folder: Path, entry: EvalResult) -> TrainedModel | None:
    """The training history of a checkpoint, from the store of the run that trained it."""
    if entry.checkpoint is None:
        return None
    path = (folder / entry.checkpoint).resolve()
    run = run_of(path)
    if run is None or not (run / STORE).is_file():
        return None
    config_or_warning(run, "The curves of its training are taken from its store.")
    with SqliteStore(run / STORE) as store:
        record = trained_models(store).get(path.parent.name)
    return record if record and record.history else None


def _differences(checkpoints: list[Checkpoint]) -> list[ComparedDifference]:
    rows: list[tuple[str, str, str, list[bool], list[bool]]] = []
    for a, b in combinations(checkpoints, 2):
        for metric in paired_metrics(a, b):
            first, second = (one.entry.outcomes()[metric].tolist() for one in (a, b))
            rows.append((a.label, b.label, metric, first, second))
    p_values = [mcnemar(first, second) for *_, first, second in rows]
    doubted = {one.label for one in checkpoints if one.entry.warning_checks}
    differences = []
    for (a_label, b_label, metric, first, second), p, corrected in zip(rows, p_values, holm(p_values)):
        resampled = paired_bootstrap(first, second)
        row = ComparedDifference(
            first=a_label,
            second=b_label,
            metric=metric,
            n=len(first),
            difference=resampled.difference,
            interval=Interval(resampled.low, resampled.high),
            bootstrap=resampled.p,
            p=p,
            corrected=corrected,
            significant=corrected < SIGNIFICANCE,
            text="",
        )
        differences.append(replace(row, text=difference_text(row, doubted)))
    return differences


def _unpaired_notes(checkpoints: list[Checkpoint]) -> list[str]:
    """Sentences that name the checkpoints which cannot be paired, or can be paired only on clean images."""
    groups: dict[str, list[Checkpoint]] = {}
    for one in checkpoints:
        groups.setdefault(one.entry.fingerprint, []).append(one)
    notes = []
    if len(groups) > 1:
        texts = [
            f"{listed([one.label for one in group])} ({group[0].data}, {group[0].entry.n_test:,} images)"
            for group in groups.values()
        ]
        notes.append(
            f"Not attacked on the same images: {'; '.join(texts)}. Between these groups no difference is paired."
        )
    for group in groups.values():
        attacked_alike: dict[tuple[Any, ...], list[Checkpoint]] = {}
        for one in group:
            attacked_alike.setdefault(one.attack_settings, []).append(one)
        if len(attacked_alike) > 1:
            texts = [
                f"{listed([one.label for one in alike])} ({_in_words(settings)})"
                for settings, alike in attacked_alike.items()
            ]
            notes.append(
                f"Attacked on the same images but not by the same attacks: {'; '.join(texts)}. Between these groups "
                "only the clean accuracies are paired."
            )
    return notes


def _in_words(attack_settings: tuple[Any, ...]) -> str:
    norm, eps, *others = attack_settings
    named = zip(ATTACK_SETTINGS, others)
    return ", ".join(
        [ball(norm, eps), *(f"{key.replace('_', ' ')} {value:g}" for key, value in named if value is not None)]
    )
