"""A run at work: its folder, its store, and a lock so that only one process works on it."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nas.core import config, provenance
from nas.core.data import LOADERS, Dataset, GivenArrays
from nas.core.data.checksum import checksums
from nas.core.errors import InputError
from nas.core.io.files import ChangedError, DamagedError, os_errors_as_input_errors, put_aside, write_with_checksum
from nas.core.io.locks import lock
from nas.core.io.records import Json
from nas.core.registry import Registry
from nas.core.storage import backup
from nas.core.storage.sqlite import SqliteStore
from nas.objectives.functions import Function
from nas.results import Provenance, Result
from nas.runs.run_config import CONFIG, RunConfig, read_config, read_or_restore_config
from nas.runs.run_files import RESULT, STORE, result_of
from nas.runs.settings_checksum import CHANGEABLE, provenance_of
from nas.search_spaces import SPACES
from nas.settings.schema import Settings, from_values
from nas.strategies import STRATEGIES
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import SUPERNET_STRATEGIES
from nas.train.methods import METHODS
from nas.version import __version__

FLUSH_SECONDS = 2  # the shortest time between two writes of a stage's wall time
R = TypeVar("R", bound=Result)


@dataclass
class Run:
    """An opened run."""

    folder: Path
    command: str  # the command that began the run and that `nas resume` continues
    settings: Settings
    extra: Json  # what the command was given besides the settings (a checkpoint, a list of architectures)
    store: SqliteStore
    functions: dict[str, Function] = field(default_factory=dict)  # objectives of the caller, by module and name
    temporary: bool = False  # whether its folder is removed when the work is done, so that nobody reads its report

    def __post_init__(self) -> None:
        self.backups = backup.BackupSchedule(self.store)

    def stage(self, name: str) -> Stage:
        return Stage(self, name)

    def begun_before(self, version: str) -> str | None:
        """The version that began the run, if it is earlier than both this version and `version`."""
        began = read_config(self.folder).version
        return began if _numbers(began) < min(_numbers(version), _numbers(__version__)) else None

    def begin(self) -> None:
        """Store the environment (hardware, versions) that the run computes in from now on."""
        environment = provenance.environment(self.settings.torch_device())
        sessions = self.store.get("environments", [])
        if environment not in sessions:
            self.store.put("environments", [*sessions, environment])

    def check_data_unchanged(self, dataset: Dataset) -> None:
        """Store the checksums of the data. Raises `InputError` if the run was begun with other images or labels."""
        now, before = checksums(dataset), self.store.get("data")
        if before is None:
            self.store.put("data", now)
        elif before != now:
            parts = ", ".join(name for name in now if now[name] != before.get(name))
            raise InputError(
                f"Expected the data that {self.folder} was begun with but their checksums differ ({parts}); restore "
                "them, or start a new run."
            )

    def provenance(self) -> Provenance:
        """What the run's numbers depend on, besides the `versions`."""
        environment = provenance.environment(self.settings.torch_device())
        sessions = self.store.get("environments", [])
        return Provenance.from_json(
            {
                **provenance_of(self.settings),
                "data_sha256": self.store.get("data"),
                "hardware": environment["hardware"],
                "source": environment["source"],
                "earlier": [session for session in sessions if session != environment],
            }
        )

    def with_provenance(self, result: R) -> R:
        """The result with the versions and the provenance of its numbers."""
        return replace(result, versions=provenance.versions(), provenance=self.provenance())

    def seconds(self) -> dict[str, float]:
        """The wall time of each stage, and of all as `total`."""
        stages = {name: round(value, 3) for name, value in self.store.under("seconds/").items()}
        return {**stages, "total": round(sum(stages.values()), 3)}

    def finish(self, result: R) -> R:
        """Add the provenance, write `result.json`, which marks a run as finished, and return the result."""
        result = self.with_provenance(result)
        write_with_checksum(self.folder / RESULT, result.to_json())
        return result

    def result(self) -> Result | None:
        """The result that `finish` wrote; None if it did not, or if the file is damaged.

        A damaged file is renamed and a warning says so; the command then makes the result again from the store.
        """
        try:
            return result_of(self.folder)
        except DamagedError as error:
            aside = put_aside(self.folder / RESULT)
            logging.getLogger("nas").warning(
                "The result %s was damaged (%s). The file is renamed to %s, and the result is made again from the "
                "run's store.",
                self.folder / RESULT,
                error.reason,
                aside.name,
            )
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare it with others: (0, 2, 0) for `0.2.0.dev1`."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


class Stage:
    """A `with` block of a run's work, whose wall time is added to that of the stage `name`.

    `flush` and the end of the block store the time so far and renew the good copy of the store if it is old. A block
    that ends with an error stores only the time: the store has all that was done, and a copy could delay the end of the
    process, or fail and hide the error. Call `flush` now and then, so that a kill loses little.
    """

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    def __enter__(self) -> Stage:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self._add()
        if error[0] is None:
            self.run.backups.end_of_stage()

    def flush(self) -> None:
        if time.perf_counter() - self.start > FLUSH_SECONDS:
            self._add()
            self.run.backups.renew_if_due()

    def _add(self) -> None:
        now = time.perf_counter()
        self.run.store.add_seconds(self.name, now - self.start)
        self.start = now


@contextmanager
def create(command: str, settings: Settings, extra: Json | None = None, temporary: bool = False) -> Iterator[Run]:
    """A new run in the folder `run.dir`, or by default in the next free `runs/<name>-<n>`.

    The folder appears with its configuration, a new store and the good copy of the store, or it does not appear at
    all. Raises `InputError` if `run.dir` exists or the folder cannot be made.
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
        unfinished = Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
    try:
        begun = RunConfig(
            version=__version__, command=command, extra=extra or {}, settings=config.plain(settings)
        ).to_json()
        write_with_checksum(unfinished / CONFIG, begun)
        with backup.open_verified(unfinished / STORE) as store:
            store.put("config", begun)
            backup.renew_copy(store)
        unfinished.chmod(0o755)
        folder = _move_into_place(unfinished, wanted, parent, settings.name)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    with _opened(folder) as run:
        run.temporary = temporary
        yield run


def _move_into_place(temporary: Path, wanted: Path | None, parent: Path, name: str) -> Path:
    """Rename the folder to `wanted`, or by default to the next free name; return the new path."""
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
    """An existing run, locked for this process.

    Raises `InputError` if an override could change the result (only the settings in `CHANGEABLE` cannot), if another
    process works on the run, or if the folder holds no run.
    """
    for text in overrides or []:
        if text.partition("=")[0] not in ("executor", *CHANGEABLE):
            raise InputError(
                f"Expected one of {', '.join(CHANGEABLE)} but got {text!r}; other settings would change the result: "
                "start a new run with them."
            )
    with _opened(folder, overrides) as run:
        yield run


@contextmanager
def _opened(folder: Path, overrides: list[str] | None = None) -> Iterator[Run]:
    """The run, locked, with its store verified; a damaged store is replaced by its last good copy."""
    try:
        read_config(folder)
    except InputError as error:
        stores = (folder / STORE, backup.copy_of(folder / STORE))
        if isinstance(error, ChangedError) or not any(path.is_file() for path in stores):
            raise
    with os_errors_as_input_errors(folder):
        file = (folder / "lock").open("w")
    with file:
        lock(file, folder, "works on")
        with backup.open_verified(folder / STORE) as store:
            begun = read_or_restore_config(folder, store)
            _check_components(begun.settings, folder)
            settings = from_values(begun.settings, overrides or [])
            yield Run(folder, begun.command, settings, begun.extra, store)


def _check_components(values: config.Values, folder: Path) -> None:
    """Raises `InputError` if the run uses a component that only the process that began it had registered."""
    data = values.get("data", {}).get("name")
    names: list[tuple[Registry[Any], object]] = [
        (SPACES, values.get("space")),
        (LOADERS, None if data == GivenArrays.name else data),
        (METHODS, values.get("train", {}).get("method")),
        *((PROXIES, name) for name in values.get("proxies", {})),
    ]
    strategy = values.get("strategy", {}).get("name")
    if strategy not in SUPERNET_STRATEGIES.components:
        names.append((STRATEGIES, strategy))
    for registry, name in names:
        if isinstance(name, str) and name not in registry.components and name not in registry.unusable:
            raise InputError(
                f"Expected the {registry.kind} {name!r}, which the run {folder} uses, to be installed or registered "
                "but it is not; continue in Python: nas.register(...), then nas.resume(...)."
            )
