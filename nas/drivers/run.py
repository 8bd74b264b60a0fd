"""A run is a folder: its configuration, its store, and a lock so that only one process works on it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas import __version__
from nas.core import config
from nas.core.errors import InputError
from nas.core.files import told_plainly, write_json
from nas.core.store import Store
from nas.drivers.settings import Settings, from_values

CONFIG = "config.json"
RESULT = "result.json"
CHANGEABLE = (  # nothing that a result depends on
    *(f"executor.{key}" for key in ("workers", "retries", "deadline")),
    "data.root",
)


@dataclass
class Run:
    """An opened run. `command` is what started it, and what `nas resume` goes on with."""

    folder: Path
    command: str
    settings: Settings
    extra: dict[str, Any]  # what the command was given besides the settings (a checkpoint, a list of architectures)
    store: Store

    def stage(self, name: str) -> Stage:
        return Stage(self.store, name)

    def seconds(self) -> dict[str, float]:
        stages = {name: round(value, 3) for name, value in self.store.under("seconds/").items()}
        return {**stages, "total": round(sum(stages.values()), 3)}

    def finish(self, result: dict[str, Any]) -> dict[str, Any]:
        """Write `result.json`, the mark of a finished run."""
        write_json(self.folder / RESULT, result)
        return result


class Stage:
    """Adds the wall time of a block to the run's stages; `flush` now and then keeps most of it through a kill."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def __enter__(self) -> Stage:
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        self._add()

    def flush(self) -> None:
        if time.perf_counter() - self.start > 2:
            self._add()

    def _add(self) -> None:
        now = time.perf_counter()
        self.store.add_seconds(self.name, now - self.start)
        self.start = now


@contextmanager
def create(command: str, settings: Settings, extra: dict[str, Any] | None = None) -> Iterator[Run]:
    """A new run folder: the one named by `run.dir` (which must not exist), or the next free `runs/<name>-<n>`.

    The folder appears with its configuration in it, or not at all.
    """
    wanted = Path(settings.run.dir) if settings.run.dir is not None else None
    if wanted is not None and (wanted.exists() or wanted.is_symlink()):
        raise InputError(
            f"Expected a new folder for run.dir but {wanted} exists; continue it with `nas resume {wanted}` or choose "
            "another."
        )
    parent = wanted.parent if wanted is not None else Path("runs")
    with told_plainly(wanted or parent):
        parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
    try:
        write_json(
            temporary / CONFIG,
            {
                "version": __version__,
                "command": command,
                "extra": extra or {},
                "settings": config.plain(settings),
            },
        )
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
        if text.partition("=")[0] not in CHANGEABLE:
            raise InputError(
                f"Expected one of {', '.join(CHANGEABLE)} but got {text!r}; other settings would change the result: "
                "start a new run with them."
            )
    with _opened(folder, overrides) as run:
        yield run


def described(folder: Path) -> dict[str, Any]:
    """What `config.json` of a run says; `InputError` where the folder is no run."""
    path = folder / CONFIG
    try:
        value = json.loads(path.read_text())
        if not {"command", "settings", "extra"} <= value.keys():
            raise ValueError("keys are missing")
    except FileNotFoundError as error:
        raise InputError(f"Expected a run folder but {folder} has no {CONFIG}; check the path.") from error
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"Expected a readable {path} but: {error}; restore it from a copy.") from error
    return value


def result_of(folder: Path) -> dict[str, Any] | None:
    """The result of a finished run, `None` where it is not finished."""
    described(folder)
    path = folder / RESULT
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(
            f"Expected a readable {path} but: {error}; remove it and run `nas resume {folder}`."
        ) from error


@contextmanager
def _opened(folder: Path, overrides: list[str] | None = None) -> Iterator[Run]:
    value = described(folder)
    settings = from_values(value["settings"], overrides or [])
    with _locked(folder), Store(folder / "store.sqlite") as store:
        yield Run(folder, value["command"], settings, value["extra"], store)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run's lock; the system lets go of it when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: two processes on one run are not noticed there
        yield
        return
    with told_plainly(folder):
        file = (folder / "lock").open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"Expected {folder} to be free but another process works on it; wait for it or stop it."
            ) from error
        yield
