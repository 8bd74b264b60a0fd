"""The progress of a run: moments to wait for, work that is finished, and the stage it was killed in."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from workload import EPOCHS

from nas.eval.non_finite import count_key

SEARCHED = "evaluations"  # the table of the store with the evaluations of a search
OUTCOMES = "outcome/"  # the keys of attacked batches begin with it


def rows(run: Path, query: str) -> Any:
    """The first value of a query to the store of a running command; 0 if there is no store or no row yet."""
    try:
        connection = sqlite3.connect(f"file:{run / 'store.sqlite'}?mode=ro", uri=True, timeout=1)
    except sqlite3.Error:
        return 0
    try:
        found = connection.execute(query).fetchone()
        return 0 if found is None else found[0]
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def evaluated(count: int) -> Callable[[Path], bool]:
    """The moment at which the store has `count` evaluations of the search."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM {SEARCHED}") >= count


def attacked(count: int) -> Callable[[Path], bool]:
    """The moment at which the store has the outcomes of `count` attacked batches."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM facts WHERE key LIKE '{OUTCOMES}%'") >= count


def training(run: Path) -> bool:
    """Whether a training has a checkpoint."""
    return any(run.glob("models/*/last.pt"))


def finished_work(run: Path) -> dict[str, tuple[Any, ...]]:
    """The work that must never be done again: rows of the store by their keys, and finished trainings.

    Rows have their number in the table, because a row that is written again gets another number. The count of an
    outcome is stored before the outcome; alone it is no finished work.
    """
    work = {}
    for row in _copied_rows(run, f"SELECT rowid, * FROM {SEARCHED}"):
        work[f"{SEARCHED}/{row[1]}"] = row
    for row in _copied_rows(run, "SELECT rowid, * FROM facts WHERE key LIKE 'outcome/%' OR key LIKE 'cheap/%'"):
        work[row[1]] = row
    unfinished = [key for key in work if key.endswith(count_key("")) and key.removesuffix(count_key("")) not in work]
    return {key: row for key, row in work.items() if key not in unfinished} | finished_trainings(run)


def _copied_rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query to a copy of the store; none if the run was killed before the tables were made.

    It is a copy because opening the store itself would recover it, which the resumed run must do.
    """
    with tempfile.TemporaryDirectory() as place:
        for file in run.glob("store.sqlite*"):
            shutil.copy(file, place)
        connection = sqlite3.connect(Path(place, "store.sqlite"))
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()


def finished_trainings(run: Path) -> dict[str, tuple[Any, ...]]:
    """The time at which the last checkpoint of each finished training was written."""
    found = {}
    for path in run.glob("models/*/last.pt"):
        if torch.load(path, weights_only=True)["state"]["epoch"] == EPOCHS:
            found[f"trained/{path.parent.name}"] = (path.stat().st_mtime_ns,)
    return found


# The keys of facts that a run writes once each, always in the same order.
MILESTONES = "key LIKE 'outcome/%' OR key IN ('search/result', 'training', 'seconds/report')"


class LiveMilestones:
    """The milestones of a running command, read over one connection that stays open until `close`."""

    def __init__(self, run: Path) -> None:
        self.store = run / "store.sqlite"
        self.connection: sqlite3.Connection | None = None

    def read(self) -> list[str]:
        """The milestones that are reached, in their order; none while there is no store."""
        try:
            if self.connection is None:
                self.connection = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=1)
            return [
                key for (key,) in self.connection.execute(f"SELECT key FROM facts WHERE {MILESTONES} ORDER BY rowid")
            ]
        except sqlite3.Error:
            self.close()
            return []

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def milestones(run: Path) -> list[str]:
    """The milestones that a killed or finished run has reached, in their order."""
    return [key for (key,) in _copied_rows(run, f"SELECT key FROM facts WHERE {MILESTONES} ORDER BY rowid")]


def stage_of(milestone: str) -> str:
    """The stage in which a run reaches a milestone; an attack's name without its number of steps."""
    if not milestone.startswith(OUTCOMES):
        return {"search/result": "search", "training": "training", "seconds/report": "report"}[milestone]
    part = milestone.split("/")[2]
    known = {"door": "opening a network", "corruption": "corruptions", "outputs": "checks of the outputs"}
    return known.get(part) or ("robustness curve" if "@" in part else part.rstrip("0123456789"))


def stage(run: Path, order: Sequence[str]) -> str:
    """The stage in which a run was killed: that of the first milestone in `order` that the run has not reached."""
    if not (run / "config.json").exists():
        return "before the run folder"
    if (run / "result.json").exists():
        return "after the result"
    reached = set(milestones(run))
    found = next((stage_of(milestone) for milestone in order if milestone not in reached), "report")
    if found == "search":
        return "search: labelling" if any(run.glob("labels/*")) else "search: proxies"
    return found


@dataclass(frozen=True)
class Part:
    """An uninterrupted part of a run in one stage."""

    stage: str
    after: str  # the milestone before it; empty if it begins with the run's folder
    begins: float  # seconds of the run before it
    seconds: float  # its usual length


def parts(times: dict[str, float], started: float) -> list[Part]:
    """The parts of a run that began at `started` and reached its milestones at `times`, first of all its folder."""
    (before, start), *rest = times.items()
    found: list[Part] = []
    for (name, _), group in groupby(rest, key=lambda item: (stage_of(item[0]), item[0].split("/")[1:2])):
        last, end = list(group)[-1]
        found.append(Part(name, before, start - started, end - start))
        before, start = last, end
    return found
