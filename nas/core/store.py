"""The store of a run: one SQLite file that holds every finished evaluation, outcome and strategy state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.errors import InputError

_TABLES = """
CREATE TABLE IF NOT EXISTS evaluations (
    key TEXT PRIMARY KEY, metrics TEXT, reason TEXT, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS history (position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation gave: its metrics, or the reason why there are none."""

    key: str
    metrics: dict[str, float] | None
    reason: str | None
    seconds: float


class Store:
    """Durable against a kill of the process at any moment; several processes may write.

    `evaluations` keeps each evaluation the moment it finishes; `history` the order in which the search was told of
    them (what is evaluated but not told belongs to a step under way); `facts` any JSON value under a key.
    """

    durable = True

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told_plainly():
            self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA synchronous=NORMAL")
            self.connection.executescript(_TABLES)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block happen, or none."""
        with self._told_plainly():
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        with self._told_plainly():
            self.connection.execute("COMMIT")

    # evaluations

    def record(self, evaluation: Evaluation) -> None:
        metrics = None if evaluation.metrics is None else json.dumps(evaluation.metrics)
        self._execute(
            "INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?)",
            (evaluation.key, metrics, evaluation.reason, evaluation.seconds),
        )

    def evaluation(self, key: str) -> Evaluation | None:
        rows = self._rows("SELECT * FROM evaluations WHERE key = ?", (key,))
        return _evaluation(rows[0]) if rows else None

    def tell(self, position: int, key: str) -> None:
        """Note that the `position`-th different class told to the strategy is `key`."""
        self._execute("INSERT INTO history VALUES (?, ?)", (position, key))

    def told(self) -> Iterator[Evaluation]:
        """Evaluations in the order in which the search was told of them."""
        query = (
            "SELECT evaluations.* FROM history JOIN evaluations ON evaluations.key = history.key "
            "ORDER BY history.position"
        )
        return map(_evaluation, self._rows(query))

    def count_told(self) -> int:
        return self._rows("SELECT COUNT(*) FROM history")[0][0]

    # facts

    def put(self, key: str, value: Any) -> None:
        self._execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, json.dumps(value)))

    def get(self, key: str, default: Any = None) -> Any:
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else default

    def under(self, prefix: str) -> dict[str, Any]:
        """All facts whose key starts with `prefix`, without it."""
        rows = self._rows(
            "SELECT key, value FROM facts WHERE substr(key, 1, ?) = ? ORDER BY key", (len(prefix), prefix)
        )
        return {key[len(prefix) :]: json.loads(value) for key, value in rows}

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Add to the time a stage has taken, over all sessions of the run."""
        key = f"seconds/{stage}"
        with self.transaction():
            self.put(key, self.get(key, 0.0) + seconds)

    def _execute(self, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        with self._told_plainly():
            return self.connection.execute(query, values)

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._told_plainly():  # damage may show in any row
            return self.connection.execute(query, values).fetchall()

    @contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                raise InputError(
                    f"Expected room for {self.path} but the disk is full or failing ({text}); free some space and "
                    "continue with `nas resume`."
                ) from error
            if "readonly" in text or "unable to open" in text:
                raise InputError(f"Expected to write {self.path} but: {text}; check the folder's rights.") from error
            if "malformed" in text or "not a database" in text:
                raise InputError(
                    f"Expected a run's store but {self.path} is damaged ({text}); restore it from a copy, or start "
                    "the run anew in another folder."
                ) from error
            raise


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    key, metrics, reason, seconds = row
    return Evaluation(key, None if metrics is None else json.loads(metrics), reason, seconds)
