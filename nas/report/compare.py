"""Compare evaluated checkpoints of several runs: paired differences, and which of them are significant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.core.statistics.paired import SIGNIFICANCE, holm, mcnemar, paired_bootstrap, paired_difference
from nas.core.storage.sqlite import SqliteStore
from nas.report.evaluated import Evaluated, single_runs
from nas.report.identity import Identity, identities
from nas.report.notes import doubts
from nas.report.pairing import Checkpoint, attack_settings, paired_metrics, unpaired_notes
from nas.report.palette import CHECKPOINTS, marker
from nas.report.run_data import trained_models
from nas.results import PYTHON, UNKNOWN, ComparedDifference, Comparison, EvalResult, Interval, TrainedModel
from nas.runs.difference_wording import difference_text
from nas.runs.given_model import config_or_warning, run_of
from nas.runs.run_files import STORE
from nas.strategies.pareto import undominated


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
    return ComparisonData(checkpoints, _differences(checkpoints), notes + unpaired_notes(checkpoints) + warnings)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The indices of the points that no other dominates (at least as high in both coordinates, and higher in one).

    They are sorted by the first coordinate.
    """
    return sorted(map(int, undominated(np.array(points))), key=lambda index: points[index])


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
                given.data,
                entry,
                attack_settings(given.settings, entry),
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
        paired = paired_difference(first, second)
        row = ComparedDifference(
            first=a_label,
            second=b_label,
            metric=metric,
            n=len(first),
            difference=paired.difference,
            interval=Interval(paired.low, paired.high),
            bootstrap=paired_bootstrap(first, second).p,
            p=p,
            corrected=corrected,
            significant=corrected < SIGNIFICANCE,
            text="",
        )
        differences.append(replace(row, text=difference_text(row, doubted)))
    return differences
