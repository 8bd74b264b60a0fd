"""A good copy of a run's store, and the way back to it when the store is damaged."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from nas.core.errors import InputError
from nas.core.io.files import DamagedError, os_errors_as_input_errors, put_aside
from nas.core.storage.sqlite import SqliteStore, sidecar_files

MAX_COPY_SHARE = 0.01  # of the time, at most, goes into copies
MINUTES_BETWEEN_COPIES = 5.0  # at least, between two copies while a stage runs


def copy_of(path: Path) -> Path:
    """Where the good copy of the store at `path` is: `store.good.sqlite` for `store.sqlite`."""
    return path.with_name(f"{path.stem}.good{path.suffix}")


def keep_copy(store: SqliteStore) -> None:
    """Replace the good copy by the store as it is now, once every row of the new copy is verified.

    `DamagedError` where it does not verify: the store itself is damaged, and the copy before is kept.
    """
    path = copy_of(store.path)
    with _temporary(path) as temporary:
        with store.sqlite_errors_as_input_errors():
            target = sqlite3.connect(temporary, isolation_level=None)
            try:
                store.connection.backup(target)
            finally:
                target.close()
        try:
            _verify(temporary)
        except DamagedError as error:
            raise store.damaged(error.reason) from error
        _placed(temporary, path)


class BackupSchedule:
    """Keeps the good copy fresh, so rarely that it takes at most `MAX_COPY_SHARE` of the time."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self._after = time.monotonic() + 60 * MINUTES_BETWEEN_COPIES
        self._end = 0.0  # before it there is none at the end of a stage either

    def now_and_then(self) -> None:
        """To be called while a stage runs, as often as one likes, but never within a transaction."""
        if time.monotonic() >= self._after:
            self._keep()

    def end_of_stage(self) -> None:
        if time.monotonic() >= self._end:
            self._keep()

    def _keep(self) -> None:
        start = time.monotonic()
        try:
            keep_copy(self.store)
        except DamagedError:
            raise
        except (InputError, OSError) as error:  # the run can do without
            logging.getLogger("nas").warning("The good copy of %s could not be renewed: %s", self.store.path, error)
        end = time.monotonic()
        self._end = end + (end - start) / MAX_COPY_SHARE
        self._after = max(self._end, end + 60 * MINUTES_BETWEEN_COPIES)


def opened(path: Path) -> SqliteStore:
    """The store at `path`, verified; a new one where there was none, with a good copy in either case.

    A damaged or lost one is named in a warning and put aside as `store.damaged-N.sqlite`, and the good copy takes its
    place. `DamagedError` where that is no better. The caller must be the only one that uses the store.
    """
    try:
        store = _verified(path)
    except DamagedError as error:
        _mend(path, error.reason)
        store = SqliteStore(path)
    if not copy_of(path).exists():
        keep_copy(store)
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


def _mend(path: Path, why: str) -> None:
    copy = copy_of(path)
    if not copy.is_file():
        raise DamagedError(
            f"Expected a run's store but {path} is damaged ({why}) and has no good copy {copy.name} beside it; restore "
            "it from a copy of your own, or start the run anew in another folder.",
            why,
        )
    with _temporary(copy) as temporary:
        with os_errors_as_input_errors(path):
            shutil.copyfile(copy, temporary)
        try:
            _verify(temporary)
        except DamagedError as error:
            raise DamagedError(
                f"Expected a run's store but {path} is damaged ({why}) and so is its good copy {copy.name} "
                f"({error.reason}); restore one of them, or start the run anew in another folder.",
                why,
            ) from error
        # the log of the damaged store must not be taken for that of the copy
        aside = put_aside(path, *sidecar_files(path))
        _placed(temporary, path)
    logging.getLogger("nas").warning(
        "The store %s was damaged (%s). It is %s now; the run goes on from the good copy of %s, to the same result.",
        path,
        why,
        aside.name if aside.exists() else "gone",
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(copy.stat().st_mtime)),
    )


def _verify(file: Path) -> None:
    with SqliteStore(file) as store:
        store.verify()


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield temporary
    finally:
        for name in (temporary, *sidecar_files(temporary)):
            with suppress(OSError):
                name.unlink(missing_ok=True)


def _placed(temporary: Path, path: Path) -> None:
    """Flush a closed store to the disk and rename it over `path`."""
    with os_errors_as_input_errors(path):
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
