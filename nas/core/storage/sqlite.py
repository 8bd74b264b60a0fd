"""The store of a run in one SQLite file: finished evaluations, the history of the search, and facts."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from nas.core.errors import RESUME, InputError
from nas.core.io.files import DamagedError
from nas.core.io.records import Json
from nas.core.storage.base import Metrics, Store, TaskResult

APPLICATION = 0x6E617373  # "nass", in the header of the file: an empty or foreign database is not a store
FORMAT = 2  # raise it if the tables change
_TABLES = {
    "evaluations": "key TEXT PRIMARY KEY, metrics TEXT, reason TEXT, seconds REAL NOT NULL",
    "history": "position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE",
    "facts": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
}
_DAMAGE = ("malformed", "not a database", "no such table", "no such column", "decode", "unsupported file format")
_BATCH_ROWS = 1000  # in memory at a time


class SqliteStore(Store):
    """A store that several processes may write. What is written survives a kill of the processes at any later moment.

    After a power cut or a crash of the operating system, the last commits may be missing: those since SQLite last moved
    its log into the file. The file is then a complete store of an earlier moment, from which a run comes to the same
    result. Waiting for the disk at each commit would take longer than many evaluations.

    Each row has a CRC-32 of the name of its table and of its columns, which is checked whenever the row is read: a
    `DamagedError` names the file and the row. `verify` reads everything; `nas.core.storage.backup` keeps the copy from
    which a damaged store is restored.
    """

    durable = True

    def __init__(self, path: Path) -> None:
        """Open or create the store at `path`. Raises `DamagedError` if the file is empty or not a store."""
        self.path = path
        with self.sqlite_errors_as_input_errors():
            if not os.path.lexists(path):
                _create(path)
            self.connection = sqlite3.connect(path, timeout=60, isolation_level=None)
            try:
                self._check_kind()
                self.connection.execute("PRAGMA journal_mode=WAL")
                self.connection.execute("PRAGMA synchronous=NORMAL")
            except BaseException:
                self.connection.close()
                raise

    def _check_kind(self) -> None:
        if os.path.isfile(self.path) and os.path.getsize(self.path) == 0:
            raise self.damaged("it is empty, 0 bytes")
        kind = tuple(
            self.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if kind != (APPLICATION, FORMAT):
            raise self.damaged("its header is that of another kind of file or of another version")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.sqlite_errors_as_input_errors():
            self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        with self.sqlite_errors_as_input_errors():
            self.connection.execute("COMMIT")

    # evaluations

    def record(self, evaluation: TaskResult[str, Metrics]) -> None:
        metrics = None if evaluation.result is None else json.dumps(evaluation.result)
        self._write(
            "INSERT OR REPLACE", "evaluations", evaluation.key, metrics, evaluation.failure, float(evaluation.seconds)
        )

    def evaluation(self, key: str) -> TaskResult[str, Metrics] | None:
        rows = list(self._rows("evaluations", "WHERE key = ?", key))
        return _evaluation(rows[0]) if rows else None

    def append_history(self, key: str) -> None:
        with self.sqlite_errors_as_input_errors():
            (position,) = self.connection.execute("SELECT COALESCE(MAX(position) + 1, 0) FROM history").fetchone()
        self._write("INSERT", "history", position, key)

    def history(self) -> Iterator[TaskResult[str, Metrics]]:
        query = (
            "SELECT history.*, evaluations.* FROM history LEFT JOIN evaluations ON evaluations.key = history.key "
            "ORDER BY history.position"
        )
        for row in self._fetch(query):
            position, key = self._checked("history", row[:3])
            if row[3] is None:
                raise self.damaged(f"evaluation {key!r}, number {position} of the search's history, is missing")
            yield _evaluation(self._checked("evaluations", row[3:]))

    def evaluations(self) -> Iterator[TaskResult[str, Metrics]]:
        return (_evaluation(row) for row in self._rows("evaluations", ""))

    def from_history(self, key: str) -> TaskResult[str, Metrics] | None:
        return self.evaluation(key) if list(self._rows("history", "WHERE key = ?", key)) else None

    def history_length(self) -> int:
        with self.sqlite_errors_as_input_errors():
            return self.connection.execute("SELECT COUNT(*) FROM history").fetchone()[0]

    # facts

    def put(self, key: str, value: Any) -> None:
        self._write("INSERT OR REPLACE", "facts", key, json.dumps(value))

    def get(self, key: str, default: Any = None) -> Any:
        rows = list(self._rows("facts", "WHERE key = ?", key))
        return json.loads(rows[0][1]) if rows else default

    def under(self, prefix: str) -> Json:
        rows = self._rows("facts", "WHERE substr(key, 1, ?) = ? ORDER BY key", len(prefix), prefix)
        return {key[len(prefix) :]: json.loads(value) for key, value in rows}

    # damage

    def verify(self) -> None:
        """Read everything. Raises `DamagedError` if the structure of the file or the checksum of a row is wrong."""
        try:
            self._check_kind()
            with self.sqlite_errors_as_input_errors():
                (finding,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
            if finding != "ok":
                raise self.damaged(" ".join(str(finding).split()))
            for table in _TABLES:
                for _ in self._rows(table, ""):
                    pass
            with self.sqlite_errors_as_input_errors():
                query = "SELECT key FROM history WHERE key NOT IN (SELECT key FROM evaluations) LIMIT 1"
                missing = self.connection.execute(query).fetchone()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            raise self.damaged(str(error)) from error
        if missing is not None:
            raise self.damaged(f"evaluation {missing[0]!r} of the search's history is missing")

    def damaged(self, why: str) -> DamagedError:
        """The error that says that the store is damaged, and why."""
        return DamagedError(
            f"Expected a run's store but {self.path} is damaged ({why}); `nas resume "
            f"{shlex.quote(str(self.path.parent))}` puts it aside and continues from the last good copy if there is "
            "one.",
            why,
        )

    def _write(self, insert: str, table: str, *columns: Any) -> None:
        places = ", ".join("?" * (len(columns) + 1))
        with self.sqlite_errors_as_input_errors():
            self.connection.execute(f"{insert} INTO {table} VALUES ({places})", (*columns, _checksum(table, columns)))

    def _rows(self, table: str, condition: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Rows of a table, checked, without their checksums."""
        return (self._checked(table, row) for row in self._fetch(f"SELECT * FROM {table} {condition}", *values))

    def _fetch(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        with self.sqlite_errors_as_input_errors():
            cursor = self.connection.execute(query, values)
        rows = [()] * _BATCH_ROWS
        while len(rows) == _BATCH_ROWS:
            with self.sqlite_errors_as_input_errors():  # any row may be damaged
                rows = cursor.fetchmany(_BATCH_ROWS)
            yield from rows

    def _checked(self, table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
        *columns, checksum = row
        if _checksum(table, tuple(columns)) != checksum:
            raise self.damaged(f"the row {columns[0]!r} of its {table} does not match its checksum")
        return tuple(columns)

    @contextmanager
    def sqlite_errors_as_input_errors(self) -> Iterator[None]:
        """Turn errors of SQLite (full disk, read-only folder, damage) into an `InputError` that says what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            text = " ".join(str(error).split())
            if "full" in text or "disk I/O" in text:
                raise InputError(
                    f"Expected room for {self.path} but the disk is full or failing ({text}); free some space and "
                    f"{RESUME}."
                ) from error
            if "readonly" in text or "unable to open" in text:
                raise InputError(f"Expected to write {self.path} but: {text}; check its permissions.") from error
            if any(word in text for word in _DAMAGE):
                raise self.damaged(text) from error
            raise


def _create(path: Path) -> None:
    """Create an empty store, completely or not at all; another process may do the same at the same time."""
    with temporary_store(path) as temporary:
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={FORMAT}")
            for name, columns in _TABLES.items():
                connection.execute(f"CREATE TABLE {name} ({columns}, checksum INTEGER NOT NULL)")
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # the file system has no hard links
            if not path.exists():
                os.replace(temporary, path)


@contextmanager
def temporary_store(path: Path) -> Iterator[Path]:
    """The path of a new file beside `path`; it is deleted after the block, with what SQLite leaves beside it."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield temporary
    finally:
        for left in (temporary, *sidecar_files(temporary)):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def sidecar_files(path: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside an open store: its log and the index of the log."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _checksum(table: str, columns: tuple[Any, ...]) -> int:
    """CRC-32 of a row and the name of its table."""
    return zlib.crc32(repr((table, columns)).encode("utf-8", "surrogatepass"))


def _evaluation(row: tuple[Any, ...]) -> TaskResult[str, Metrics]:
    key, metrics, failure, seconds = row
    return TaskResult(key, None if metrics is None else json.loads(metrics), failure, seconds)
