"""Compare evaluated checkpoints of several runs: which is better under which attack, and is that significant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.statistics.paired import SIGNIFICANCE, holm, mcnemar, paired_bootstrap
from nas.core.storage.sqlite import SqliteStore
from nas.report.identity import Identity, identities
from nas.report.palette import CHECKPOINTS, marker
from nas.report.run_data import evaluations_of, trained_models
from nas.report.wording import ball, listed
from nas.results import CLEAN, WORST_CASE, Difference, EvalResult, Interval, StudyResult, TrainedModel
from nas.runs.given_model import config_or_warning, run_of
from nas.runs.run_files import STORE, finished, read_config
from nas.strategies.pareto import undominated

STRENGTH = ("step_size", "restarts", "cascade")  # what makes an attack of one name and radius another one


@dataclass(frozen=True)
class Checkpoint:
    """One evaluated network: what is said of it, which images it saw, and how it was trained where that is known."""

    label: str  # unique among those compared
    run: str
    entry: EvalResult
    data: str
    strength: tuple[Any, ...]  # equal where attacks of one name are the same attack
    identity: Identity
    record: TrainedModel | None  # of its training

    def to_json(self) -> Json:
        return {"label": self.label, "run": self.run, "data": self.data, **self.entry.to_json()}


@dataclass(frozen=True, kw_only=True)
class ComparedDifference(Difference):
    """The paired difference of two checkpoints on one accuracy.

    Corrected for all differences of the comparison: every pair of checkpoints on every accuracy on which it can be
    paired. The interval is 95 %, uncorrected.
    """

    n: int  # images
    bootstrap: float  # the p-value of resamples of the images

    def to_json(self) -> Json:
        """There `p` is that of the bootstrap."""
        return {
            "first": self.first,
            "second": self.second,
            "metric": self.metric,
            "n": self.n,
            "difference": self.difference,
            "interval": list(self.interval),
            "p": self.bootstrap,
            "exact": self.p,
            "corrected": self.corrected,
            "shown": self.significant,
        }


@dataclass(frozen=True)
class Comparison:
    checkpoints: list[Checkpoint]
    differences: list[ComparedDifference]
    notes: list[str]  # what could not be compared, and why

    def to_json(self) -> Json:
        return {
            "checkpoints": [one.to_json() for one in self.checkpoints],
            "differences": [row.to_json() for row in self.differences],
            "notes": self.notes,
        }


def compare(folders: Sequence[Path]) -> Comparison:
    """Every evaluated checkpoint of finished runs (`nas run`, `nas eval`) against every other.

    A folder that is given twice counts once. `InputError` where fewer than two checkpoints were evaluated.
    """
    runs = single_runs(folders)
    short = {folder: _name(folder) for folder in runs}
    names = short if len(set(short.values())) == len(runs) else {folder: str(folder) for folder in runs}
    found: list[Checkpoint] = []
    notes = []
    for folder in runs:
        of_run = _checkpoints(folder, names[folder], len(found))
        if not of_run:
            notes.append(f"{names[folder]} has no attacked network and is left out.")
        found += of_run
    if len(found) < 2:
        raise InputError(
            f"Expected at least two evaluated checkpoints to compare but got {len(found)}; evaluate with `nas eval`."
        )
    return Comparison(found, _differences(found), notes + _reasons(found))


def single_runs(folders: Sequence[Path]) -> list[Path]:
    """The runs of the folders, each once: a study of several seeds stands for the run of each seed."""
    runs: dict[Path, Path] = {}
    for folder in folders:
        result = finished(folder)
        parts = [folder / name for name in result.runs] if isinstance(result, StudyResult) else [folder]
        runs.update({part.resolve(): part for part in parts if part.resolve() not in runs})
    return list(runs.values())


def evaluated(folders: Sequence[Path]) -> int:
    """How many evaluated checkpoints the runs hold."""
    return sum(len(evaluations_of(finished(folder))) for folder in single_runs(folders))


def _name(folder: Path) -> str:
    """A run's own name; that of a study's run with the study's."""
    path = folder.resolve()
    return f"{path.parent.name}/{path.name}" if re.fullmatch(r"seed-\d+", path.name) else path.name


def metrics(a: Checkpoint, b: Checkpoint) -> list[str]:
    """The metrics on which two checkpoints can be paired image by image."""
    if a.entry.fingerprint != b.entry.fingerprint:
        return []
    if a.strength != b.strength:
        return [CLEAN]
    shared = [name for name in a.entry.correct if name in b.entry.correct]
    worst = a.entry.worst_of_several is not None and _worst(a) == _worst(b)
    return shared + ([WORST_CASE] if worst else [])


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The points that no other beats: none is at least as high in both and higher in one. By the first coordinate."""
    return sorted(map(int, undominated(np.array(points))), key=lambda index: points[index])


def _worst(one: Checkpoint) -> list[str]:
    return sorted(one.entry.worst_case.attacks)


def _checkpoints(folder: Path, name: str, before: int) -> list[Checkpoint]:
    entries = evaluations_of(finished(folder))
    settings = read_config(folder).settings
    split = identities({entry.name: entry.training for entry in entries})
    cells = list(dict.fromkeys(one.cell for one in split.values()))
    found = []
    for entry in entries:
        own = split[entry.name]
        cell = name if len(entries) == 1 else f"{name}: {own.cell}"
        number = before + cells.index(own.cell)
        identity = Identity(cell, own.method, CHECKPOINTS[number % len(CHECKPOINTS)], marker(number))
        found.append(
            Checkpoint(
                f"{cell} ({identity.method_label})",
                str(folder),
                entry,
                _data(settings["data"]),
                _strength(settings, entry),
                identity,
                _record(folder, entry),
            )
        )
    return found


def _data(settings: Json) -> str:
    size = settings.get("size")
    return f"{settings['name']} at {size} pixels" if size else str(settings["name"])


def _strength(settings: Json, entry: EvalResult) -> tuple[Any, ...]:
    chosen = settings.get("eval") or {}
    return (entry.norm, entry.eps, *(chosen.get(key) for key in STRENGTH))


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


def _differences(found: list[Checkpoint]) -> list[ComparedDifference]:
    rows = []
    for a, b in combinations(found, 2):
        for metric in metrics(a, b):
            first, second = (one.entry.outcomes()[metric].tolist() for one in (a, b))
            rows.append((a.label, b.label, metric, paired_bootstrap(first, second), mcnemar(first, second), len(first)))
    corrected = holm([row[4] for row in rows])
    return [
        ComparedDifference(
            first=first,
            second=second,
            metric=metric,
            n=n,
            difference=drawn.difference,
            interval=Interval(drawn.low, drawn.high),
            bootstrap=drawn.p,
            p=exact,
            corrected=p,
            significant=p < SIGNIFICANCE,
            text="",
        )
        for (first, second, metric, drawn, exact, n), p in zip(rows, corrected)
    ]


def _reasons(found: list[Checkpoint]) -> list[str]:
    """Plain sentences about the checkpoints that cannot be paired."""
    groups: dict[str, list[Checkpoint]] = {}
    for one in found:
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
        strengths: dict[tuple[Any, ...], list[Checkpoint]] = {}
        for one in group:
            strengths.setdefault(one.strength, []).append(one)
        if len(strengths) > 1:
            texts = [f"{listed([one.label for one in same])} ({_described(key)})" for key, same in strengths.items()]
            notes.append(
                f"Attacked on the same images but not by the same attacks: {'; '.join(texts)}. Between these groups "
                "only the clean accuracies are paired."
            )
    return notes


def _described(strength: tuple[Any, ...]) -> str:
    reach, eps, *rest = strength
    more = [f"{key.replace('_', ' ')} {value:g}" for key, value in zip(STRENGTH, rest) if value is not None]
    return ", ".join([ball(reach, eps), *more])
