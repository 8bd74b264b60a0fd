"""How far a run is: moments to wait for, what of it is finished, and which stage it was killed in."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from workload import EPOCHS

SEARCHED = "evaluations"  # the table of a search
OUTCOMES = "outcome/"  # how the keys of attacked batches begin


def rows(run: Path, query: str) -> Any:
    """The value that a query gives from the store of a run under way; 0 while there is none."""
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
    """When so many evaluations of the search are kept."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM {SEARCHED}") >= count


def attacked(count: int) -> Callable[[Path], bool]:
    """When so many batches are attacked."""
    return lambda run: rows(run, f"SELECT COUNT(*) FROM facts WHERE key LIKE '{OUTCOMES}%'") >= count


def training(run: Path) -> bool:
    """When a training has a checkpoint."""
    return any(run.glob("models/*/last.pt"))


def finished_work(run: Path) -> dict[str, tuple[Any, ...]]:
    """What is never done again: rows of the store by key, each with its number in the table, and finished trainings.

    A row that is written again gets another number.
    """
    work = {}
    for row in _copied_rows(run, f"SELECT rowid, * FROM {SEARCHED}"):
        work[f"{SEARCHED}/{row[1]}"] = row
    for row in _copied_rows(run, "SELECT rowid, * FROM facts WHERE key LIKE 'outcome/%' OR key LIKE 'cheap/%'"):
        work[row[1]] = row
    return work | finished_trainings(run)


def _copied_rows(run: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query gives from a copy of the store; nothing where the run was killed before its tables were made.

    The recovery of a store that was killed is left to the one who resumes it.
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
    """When the last checkpoint of every finished training was written."""
    found = {}
    for path in run.glob("models/*/last.pt"):
        if torch.load(path, weights_only=True)["state"]["epoch"] == EPOCHS:
            found[f"trained/{path.parent.name}"] = (path.stat().st_mtime_ns,)
    return found


def stage(run: Path) -> str:
    """Which stage a run was killed in."""
    if not (run / "config.json").exists():
        return "before the run folder"
    if (run / "result.json").exists():
        return "after the result"
    facts = {key: json.loads(value) for key, value in _copied_rows(run, "SELECT key, value FROM facts")}
    if "search/result" not in facts:
        return "search: labelling" if any(run.glob("labels/*")) else "search: proxies"
    if "training" not in facts:
        return "training"
    shares = {key: value for key, value in facts.items() if key.startswith("progress/")}
    for _, (done, total, note) in sorted(shares.items()):
        if 0 < done < total:
            return f"attack: {note}"
    return "report" if shares and all(done == total for done, total, _ in shares.values()) else "attack: first"
