"""A good copy of a run's store, and how a damaged store is restored from it."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from nas.core.errors import InputError
from nas.core.io.files import DamagedError, os_errors_as_input_errors, put_aside
from nas.core.storage.sqlite import SqliteStore, sidecar_files, temporary_store

MAX_COPY_SHARE = 0.01  # largest share of the time that may be spent on copies
MINUTES_BETWEEN_COPIES = 5.0  # the least, while a stage runs


def copy_of(path: Path) -> Path:
    """The path of the good copy of the store at `path`: `store.good.sqlite` for `store.sqlite`."""
    return path.with_name(f"{path.stem}.good{path.suffix}")


def renew_copy(store: SqliteStore) -> None:
    """Replace the good copy with the current store, after every row of the new copy has been verified.

    Raises `DamagedError` if a row is wrong: the store itself is damaged then, and the previous copy stays. Raises
    `InputError` if the disk is full.
    """
    path = copy_of(store.path)
    with temporary_store(path) as temporary:
        with (
            store.sqlite_errors_as_input_errors(),
            closing(sqlite3.connect(temporary, isolation_level=None)) as target,
        ):
            store.connection.backup(target)
        try:
            _verify(temporary)
        except DamagedError as error:
            raise store.damaged(error.reason) from error
        _move_into_place(temporary, path)


class BackupSchedule:
    """Renews the good copy so rarely that this takes at most `MAX_COPY_SHARE` of the time."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self._due = time.monotonic() + 60 * MINUTES_BETWEEN_COPIES  # earliest next copy while a stage runs
        self._allowed = 0.0  # earliest next copy at the end of a stage

    def renew_if_due(self) -> None:
        """Call this while a stage runs, as often as you like, but never within a transaction."""
        if time.monotonic() >= self._due:
            self._renew()

    def end_of_stage(self) -> None:
        if time.monotonic() >= self._allowed:
            self._renew()

    def _renew(self) -> None:
        start = time.monotonic()
        try:
            renew_copy(self.store)
        except DamagedError:
            raise
        except (InputError, OSError) as error:  # a run can continue without a copy
            logging.getLogger("nas").warning("The good copy of %s could not be renewed: %s", self.store.path, error)
        end = time.monotonic()
        self._allowed = end + (end - start) / MAX_COPY_SHARE
        self._due = max(self._allowed, end + 60 * MINUTES_BETWEEN_COPIES)


def open_verified(path: Path) -> SqliteStore:
    """The store at `path`, verified, or a new store if there is none; in either case there is a good copy afterwards.

    A warning names a damaged or lost store. A damaged one is renamed to `store.damaged-N.sqlite`, and the good copy
    takes its place. Raises `DamagedError` if that copy is missing or damaged too. No other process may use the store
    meanwhile.
    """
    try:
        store = _verified(path)
    except DamagedError as error:
        _restore(path, error.reason)
        store = SqliteStore(path)
    if not copy_of(path).exists():
        renew_copy(store)
    return store


def _verified(path: Path) -> SqliteStore:
    if not path.exists() and any(name.exists() for name in (copy_of(path), *sidecar_files(path))):
        raise DamagedError(f"Expected a run's store but {path} is gone.", "it is gone")
    store = SqliteStore(path)
    try:
        store.verify()
    except BaseException:
        store.close()
        raise
    return store


def _restore(path: Path, why: str) -> None:
    copy = copy_of(path)
    if not copy.is_file():
        raise DamagedError(
            f"Expected a run's store but {path} is damaged ({why}) and has no good copy {copy.name} beside it; restore "
            "it from a copy of your own, or start the run again in another folder.",
            why,
        )
    with temporary_store(copy) as temporary:
        with os_errors_as_input_errors(path):
            shutil.copyfile(copy, temporary)
        try:
            _verify(temporary)
        except DamagedError as error:
            raise DamagedError(
                f"Expected a run's store but {path} is damaged ({why}) and so is its good copy {copy.name} "
                f"({error.reason}); restore one of them, or start the run again in another folder.",
                why,
            ) from error
        # the log is put aside too: SQLite would apply it to the copy
        aside = put_aside(path, *sidecar_files(path))
        _move_into_place(temporary, path)
    logging.getLogger("nas").warning(
        "The store %s was damaged (%s). It is now %s; the run continues from the good copy of %s, to the same result.",
        path,
        why,
        aside.name if aside.exists() else "gone",
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(copy.stat().st_mtime)),
    )


def _verify(file: Path) -> None:
    with SqliteStore(file) as store:
        store.verify()


def _move_into_place(temporary: Path, path: Path) -> None:
    """Flush a closed store to the disk and rename it over `path`."""
    with os_errors_as_input_errors(path):
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
