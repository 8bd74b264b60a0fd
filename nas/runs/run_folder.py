"""A run is a folder: its configuration, its store, and a lock so that only one process works on it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from nas.core import config, provenance
from nas.core.config import Values
from nas.core.data import Dataset
from nas.core.data.checksum import checksums
from nas.core.errors import InputError
from nas.core.io.files import (
    ChangedError,
    DamagedError,
    os_errors_as_input_errors,
    put_aside,
    read_with_checksum,
    write_with_checksum,
)
from nas.core.io.locks import lock
from nas.core.io.records import Json, Record
from nas.core.storage import backup
from nas.core.storage.sqlite import SqliteStore
from nas.results import Provenance, Result, result_type
from nas.runs.settings_checksum import CHANGEABLE, provenance_of, with_earlier_defaults
from nas.settings.schema import Settings, from_values
from nas.version import __version__

CONFIG = "config.json"
RESULT = "result.json"
STORE = "store.sqlite"
R = TypeVar("R", bound=Result)


@dataclass(frozen=True, kw_only=True)
class RunConfig(Record):
    """What `config.json` of a run says: what it was begun with."""

    version: str = "0"  # of this software
    command: str
    extra: Json  # what the command was given besides settings: a checkpoint, labels, ...
    settings: Values

    def with_earlier_defaults(self) -> RunConfig:
        """With the settings that an earlier version lacked, and that have another default now, as it meant them."""
        return replace(self, settings=with_earlier_defaults(self.settings))

    def settings_elsewhere(self) -> Values:
        """The settings as a base for another run, which needs a folder of its own."""
        return {**self.settings, "run": {**self.settings["run"], "dir": None}}


@dataclass
class Run:
    """An opened run. `command` is what started it, and what `nas resume` goes on with."""

    folder: Path
    command: str
    settings: Settings
    extra: Json  # what the command was given besides the settings (a checkpoint, a list of architectures)
    store: SqliteStore

    def __post_init__(self) -> None:
        self.backups = backup.BackupSchedule(self.store)

    def stage(self, name: str) -> Stage:
        return Stage(self.store, name, self.backups)

    def begun_before(self, version: str) -> str | None:
        """The version that began the run, where it is an earlier one than this and than `version`."""
        began = read_config(self.folder).version
        return began if _numbers(began) < min(_numbers(version), _numbers(__version__)) else None

    def begin(self) -> None:
        """Note what this session computes with."""
        here = provenance.environment(self.settings.torch_device())
        sessions = self.store.get("environments", [])
        if here not in sessions:
            self.store.put("environments", [*sessions, here])

    def check_data_unchanged(self, dataset: Dataset) -> None:
        """Note the checksums of the data; `InputError` where the run was begun with other images or labels."""
        found, before = checksums(dataset), self.store.get("data")
        if before not in (None, found):
            parts = ", ".join(name for name in found if found[name] != before.get(name))
            raise InputError(
                f"Expected the data that {self.folder} was begun with but their checksums differ ({parts}); restore "
                "them, or start a new run."
            )
        if before is None:
            self.store.put("data", found)

    def provenance(self) -> Provenance:
        """What the run's numbers depend on, besides the `versions`."""
        here = provenance.environment(self.settings.torch_device())
        sessions = self.store.get("environments", [])
        return Provenance.from_json(
            {
                **provenance_of(self.settings),
                "data_sha256": self.store.get("data"),
                "hardware": here["hardware"],
                "source": here["source"],
                "earlier": [session for session in sessions if session != here],
            }
        )

    def signed(self, result: R) -> R:
        """The result with what it depends on."""
        return replace(result, versions=provenance.versions(), provenance=self.provenance())

    def seconds(self) -> dict[str, float]:
        stages = {name: round(value, 3) for name, value in self.store.under("seconds/").items()}
        return {**stages, "total": round(sum(stages.values()), 3)}

    def finish(self, result: R) -> R:
        """Write `result.json`, the mark of a finished run; returns what it says."""
        result = self.signed(result)
        write_with_checksum(self.folder / RESULT, result.to_json())
        return result

    def result(self) -> Result | None:
        """What `finish` wrote; None where it did not, or where the file is damaged: that is named and put aside.

        The command then makes it again from what the store holds.
        """
        try:
            return result_of(self.folder)
        except DamagedError as error:
            aside = put_aside(self.folder / RESULT)
            logging.getLogger("nas").warning(
                "The result %s was damaged (%s). It is %s now, and is made again from the run's store.",
                self.folder / RESULT,
                error.reason,
                aside.name,
            )
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """0.2.0 of `0.2.0.dev1`, for comparing."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


class Stage:
    """Adds the wall time of a block to the run's stages; `flush` now and then keeps most of it through a kill.

    Both keep a good copy of the store, when it is time for one.
    """

    def __init__(self, store: SqliteStore, name: str, backups: backup.BackupSchedule) -> None:
        self.store = store
        self.name = name
        self.backups = backups

    def __enter__(self) -> Stage:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self._add()
        if error[0] is None:
            self.backups.end_of_stage()

    def flush(self) -> None:
        if time.perf_counter() - self.start > 2:
            self._add()
            self.backups.renew_if_due()

    def _add(self) -> None:
        now = time.perf_counter()
        self.store.add_seconds(self.name, now - self.start)
        self.start = now


@contextmanager
def create(command: str, settings: Settings, extra: Json | None = None) -> Iterator[Run]:
    """A new run folder: the one named by `run.dir` (which must not exist), or the next free `runs/<name>-<n>`.

    The folder appears with its configuration, an empty store and a good copy of that in it, or not at all.
    """
    wanted = Path(settings.run.dir) if settings.run.dir is not None else None
    if wanted is not None and (wanted.exists() or wanted.is_symlink()):
        raise InputError(
            f"Expected a new folder for run.dir but {wanted} exists; continue it with `nas resume {wanted}` or choose "
            "another."
        )
    parent = wanted.parent if wanted is not None else Path("runs")
    with os_errors_as_input_errors(wanted or parent):
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
    try:
        begun = RunConfig(
            version=__version__, command=command, extra=extra or {}, settings=config.plain(settings)
        ).to_json()
        write_with_checksum(temporary / CONFIG, begun)
        with backup.open_verified(temporary / STORE) as store:
            store.put("config", begun)
            backup.renew_copy(store)
        temporary.chmod(0o755)
        folder = _placed(temporary, wanted, parent, settings.name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    with _opened(folder) as run:
        yield run


def _placed(temporary: Path, wanted: Path | None, parent: Path, name: str) -> Path:
    number = 1
    while True:
        folder = wanted or parent / f"{name}-{number}"
        try:
            if not folder.exists():
                os.rename(temporary, folder)
                return folder
        except OSError as error:
            if not folder.exists():
                raise InputError(f"Expected to make the run folder {folder} but: {error.strerror}.") from error
        if wanted is not None:
            raise InputError(f"Expected a new folder for run.dir but {wanted} exists; choose another.")
        number += 1


@contextmanager
def reopen(folder: Path, overrides: list[str] | None = None) -> Iterator[Run]:
    """An existing run, locked for this process. Only what cannot change its result may be overridden (`CHANGEABLE`)."""
    for text in overrides or []:
        if text.partition("=")[0] not in ("executor", *CHANGEABLE):
            raise InputError(
                f"Expected one of {', '.join(CHANGEABLE)} but got {text!r}; other settings would change the result: "
                "start a new run with them."
            )
    with _opened(folder, overrides) as run:
        yield run


def read_config(folder: Path) -> RunConfig:
    """What `config.json` of a run says, as it was meant; `InputError` where the folder is no run."""
    path = folder / CONFIG
    try:
        return RunConfig.from_json(read_with_checksum(path)).with_earlier_defaults()
    except FileNotFoundError as error:
        raise InputError(f"Expected a run folder but {folder} has no {CONFIG}; check the path.") from error
    except ChangedError as error:
        raise ChangedError(
            f"Expected {path} as the run wrote it but it was changed, by hand or by damage: a run keeps the settings "
            f"that it began with. Start a new run for others; to go on with this one, remove {CONFIG} and "
            f"`nas resume {folder}` writes it anew.",
            error.reason,
        ) from error
    except DamagedError as error:
        raise DamagedError(
            f"Expected a readable {path} but {error.reason}; `nas resume {folder}` writes it anew.", error.reason
        ) from error
    except KeyError as error:
        raise InputError(
            f"Expected a readable {path} but the key {error} is missing; restore it from a copy."
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Expected a readable {path} but: {error}; restore it from a copy.") from error


def result_of(folder: Path) -> Result | None:
    """The result of a finished run, `None` where it is not finished; `DamagedError` where its file is damaged.

    `InputError` where it is not what a run of this command wrote.
    """
    command = read_config(folder).command
    path = folder / RESULT
    try:
        value = read_with_checksum(path)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        raise DamagedError(
            f"Expected a readable {path} but {error.reason}; `nas resume {folder}` makes it again.", error.reason
        ) from error
    except OSError as error:
        raise InputError(f"Expected a readable {path} but: {error}; check the file's rights.") from error
    if not isinstance(value, dict):
        raise DamagedError(f"Expected a result in {path} but got {value!r}.", "it holds something else")
    with malformed_as_input_error(folder):
        return result_type(command).from_json(value)


def finished(folder: Path) -> Result:
    """The result of a run; `InputError` where it is not finished."""
    result = result_of(folder)
    if result is None:
        raise InputError(f"Expected a finished run but {folder} is not; finish it with `nas resume {folder}`.")
    return result


@contextmanager
def malformed_as_input_error(folder: Path) -> Iterator[None]:
    """`InputError` where a result is JSON but, by somebody's hand, no result of a run: that is the user's to mend."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise InputError(
            f"Expected the result of a run in {folder} but it cannot be shown ({type(error).__name__}: {error}); "
            "restore its result.json from a copy."
        ) from error


@contextmanager
def _opened(folder: Path, overrides: list[str] | None = None) -> Iterator[Run]:
    """Lock the run, verify its store and go back to the last good copy where it must be."""
    try:
        read_config(folder)
    except InputError as error:
        if isinstance(error, ChangedError) or not any(
            path.is_file() for path in (folder / STORE, backup.copy_of(folder / STORE))
        ):
            raise
    with _locked(folder), backup.open_verified(folder / STORE) as store:
        begun = _configuration(folder, store)
        settings = from_values(begun.settings, overrides or [])
        yield Run(folder, begun.command, settings, begun.extra, store)


def _configuration(folder: Path, store: SqliteStore) -> RunConfig:
    """What `config.json` says; where that is damaged or gone it is written anew, as the store has it."""
    try:
        return read_config(folder)
    except InputError as error:
        kept = store.get("config")
        if kept is None or isinstance(error, ChangedError):
            raise
        path = folder / CONFIG
        why = "it is gone" if not path.exists() else getattr(error, "reason", "it cannot be read")
        logging.getLogger("nas").warning(
            "The configuration %s was damaged (%s) and is written anew from the run's store.", path, why
        )
        put_aside(path)
        write_with_checksum(path, kept)
        return RunConfig.from_json(kept).with_earlier_defaults()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock."""
    with os_errors_as_input_errors(folder):
        file = (folder / "lock").open("w")
    with file:
        lock(file, folder, "works on")
        yield
