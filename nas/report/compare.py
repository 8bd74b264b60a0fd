"""Compare evaluated checkpoints of several runs: who keeps more under which attack, and whether that is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.storage.sqlite import SqliteStore
from nas.eval.metrics import SIGNIFICANCE, holm, mcnemar, paired_bootstrap
from nas.report.facts import uniform
from nas.report.identity import TRAININGS, Identity, identities
from nas.report.palette import CHECKPOINTS
from nas.report.wording import ball, listed
from nas.runs.run_folder import STORE, described, result_of
from nas.runs.sources import run_of
from nas.strategies.pareto import undominated

WORST = "worst_case"
UNKNOWN = "training unknown"  # of networks that were not trained here
STRENGTH = ("step_size", "restarts", "cascade")  # what makes an attack of one name and radius another one


@dataclass(frozen=True)
class Checkpoint:
    """One evaluated network: what is said of it, which images it saw, and how it was trained where that is known."""

    label: str  # unique among those compared
    run: str
    entry: dict[str, Any]  # as in the run's result
    data: str
    images: tuple[Any, ...]  # equal for checkpoints that saw the same images
    strength: tuple[Any, ...]  # equal where attacks of one name are the same attack
    identity: Identity
    record: dict[str, Any] | None  # of its training

    @property
    def training(self) -> str:
        return TRAININGS.get(self.identity.training, self.identity.training)


@dataclass(frozen=True)
class Difference:
    """The paired difference of two checkpoints on one metric; `p` by bootstrap, `exact` by McNemar's test.

    `corrected` is `exact` after Holm's correction for all differences of the comparison: every pair of checkpoints on
    every accuracy on which it can be paired. The interval is 95 %, uncorrected.
    """

    first: str
    second: str
    metric: str
    n: int
    difference: float
    interval: tuple[float, float]
    p: float
    exact: float
    corrected: float

    @property
    def shown(self) -> bool:
        return self.corrected < SIGNIFICANCE

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**asdict(self), "shown": self.shown}


@dataclass(frozen=True)
class Comparison:
    checkpoints: list[Checkpoint]
    differences: list[Difference]
    notes: list[str]  # what could not be compared, and why

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "checkpoints": [
                {"label": one.label, "run": one.run, "data": one.data, **one.entry} for one in self.checkpoints
            ],
            "differences": [row.plain() for row in self.differences],
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
        parts = [folder]
        if described(folder)["command"] == "study":
            parts = [folder / name for name in _finished(folder)["runs"]]
        runs.update({part.resolve(): part for part in parts if part.resolve() not in runs})
    return list(runs.values())


def evaluated(folders: Sequence[Path]) -> int:
    """How many evaluated checkpoints the runs hold."""
    return sum(len(uniform(_finished(folder)).get("models") or []) for folder in single_runs(folders))


def _finished(folder: Path) -> dict[str, Any]:
    result = result_of(folder)
    if result is None:
        raise InputError(f"Expected a finished run but {folder} is not; finish it with `nas resume {folder}`.")
    return result


def _name(folder: Path) -> str:
    """A run's own name; that of a study's run with the study's."""
    path = folder.resolve()
    return f"{path.parent.name}/{path.name}" if re.fullmatch(r"seed-\d+", path.name) else path.name


def metrics(a: Checkpoint, b: Checkpoint) -> list[str]:
    """The metrics on which two checkpoints can be paired image by image."""
    if a.images != b.images:
        return []
    if a.strength != b.strength:
        return ["clean"]
    shared = [name for name in a.entry["correct"] if name in b.entry["correct"]]
    return shared + ([WORST] if _worst(a) and _worst(a) == _worst(b) and len(_worst(a)) > 1 else [])


def outcomes(one: Checkpoint, metric: str) -> str:
    """The images that are right under a metric, as a text of 0 and 1."""
    return one.entry[WORST]["correct"] if metric == WORST else one.entry["correct"][metric]


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The points that no other beats: none is at least as high in both and higher in one. By the first coordinate."""
    return sorted(map(int, undominated(np.array(points))), key=lambda index: points[index])


def _worst(one: Checkpoint) -> list[str]:
    return sorted((one.entry.get(WORST) or {}).get("attacks", []))


def _checkpoints(folder: Path, name: str, before: int) -> list[Checkpoint]:
    entries = uniform(_finished(folder)).get("models") or []
    settings = described(folder)["settings"]
    split = identities({entry["name"]: entry.get("training") or UNKNOWN for entry in entries})
    cells = list(dict.fromkeys(one.cell for one in split.values()))
    found = []
    for entry in entries:
        own = split[entry["name"]]
        cell = name if len(entries) == 1 else f"{name}: {own.cell}"
        colour = CHECKPOINTS[(before + cells.index(own.cell)) % len(CHECKPOINTS)]
        identity = Identity(cell, own.training, colour)
        found.append(
            Checkpoint(
                f"{cell} ({TRAININGS.get(own.training, own.training)})",
                str(folder),
                entry,
                _data(settings["data"]),
                _images(settings["data"], entry),
                _strength(settings, entry),
                identity,
                _record(folder, entry),
            )
        )
    return found


def _data(settings: dict[str, Any]) -> str:
    size = settings.get("size")
    return f"{settings['name']} at {size} pixels" if size else str(settings["name"])


def _images(settings: dict[str, Any], entry: dict[str, Any]) -> tuple[Any, ...]:
    """By the fingerprint of the images; where a run has none, by its settings."""
    if entry.get("fingerprint"):
        return (entry["fingerprint"],)
    return (settings["name"], settings.get("size"), settings.get("root"), entry["n_test"])


def _strength(settings: dict[str, Any], entry: dict[str, Any]) -> tuple[Any, ...]:
    chosen = settings.get("eval") or {}
    return (entry["norm"], entry["eps"], *(chosen.get(key) for key in STRENGTH))


def _record(folder: Path, entry: dict[str, Any]) -> dict[str, Any] | None:
    """The training history of a checkpoint, from the store of the run that trained it."""
    if not entry.get("checkpoint"):
        return None
    path = (folder / entry["checkpoint"]).resolve()
    run = run_of(path)
    if run is None or not (run / STORE).is_file():
        return None
    with SqliteStore(run / STORE) as store:
        record = (store.get("training") or {}).get(path.parent.name)
    return record if record and record.get("history") else None


def _differences(found: list[Checkpoint]) -> list[Difference]:
    rows = []
    for a, b in combinations(found, 2):
        for metric in metrics(a, b):
            first, second = ([flag == "1" for flag in outcomes(one, metric)] for one in (a, b))
            rows.append((a.label, b.label, metric, paired_bootstrap(first, second), mcnemar(first, second), len(first)))
    corrected = holm([row[4] for row in rows])
    return [
        Difference(a, b, metric, n, drawn.difference, (drawn.low, drawn.high), drawn.p, exact, p)
        for (a, b, metric, drawn, exact, n), p in zip(rows, corrected)
    ]


def _reasons(found: list[Checkpoint]) -> list[str]:
    """Plain sentences about the checkpoints that cannot be paired."""
    groups: dict[tuple[Any, ...], list[Checkpoint]] = {}
    for one in found:
        groups.setdefault(one.images, []).append(one)
    notes = []
    if len(groups) > 1:
        texts = [
            f"{listed([one.label for one in group])} ({group[0].data}, {group[0].entry['n_test']:,} images)"
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
