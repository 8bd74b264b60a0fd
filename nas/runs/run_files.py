"""The files of a run that others read: its configuration and its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from nas.core.config import Values
from nas.core.errors import InputError
from nas.core.io.files import ChangedError, DamagedError, read_with_checksum
from nas.core.io.records import Json, Record
from nas.results import Result, result_type
from nas.runs.settings_checksum import with_earlier_defaults

CONFIG = "config.json"
RESULT = "result.json"
STORE = "store.sqlite"


@dataclass(frozen=True, kw_only=True)
class RunConfig(Record):
    """The content of `config.json`: what the run was begun with."""

    version: str = "0"  # of this software
    command: str
    extra: Json  # what the command was given besides settings: a checkpoint, labels, ...
    settings: Values

    def with_earlier_defaults(self) -> RunConfig:
        """With the defaults of the version that began the run for settings that it did not have yet."""
        return replace(self, settings=with_earlier_defaults(self.settings))

    def settings_elsewhere(self) -> Values:
        """The settings as a base for another run, which needs a folder of its own."""
        return {**self.settings, "run": {**self.settings["run"], "dir": None}}


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run; settings that its version did not have yet have the default that it used.

    Raises `InputError` if the folder is no run, `DamagedError` if the file is damaged, `ChangedError` if it was edited.
    """
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
    """The result of a run; `None` if the run is not finished.

    Raises `DamagedError` if the file is damaged, and `InputError` if it is not what a run of this command wrote.
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
    """The result of a finished run. Raises `InputError` if the run is not finished."""
    result = result_of(folder)
    if result is None:
        raise InputError(f"Expected a finished run but {folder} is not; finish it with `nas resume {folder}`.")
    return result


@contextmanager
def malformed_as_input_error(folder: Path) -> Iterator[None]:
    """Raise `InputError` if a result is JSON but not the result of a run, as after an edit by hand."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise InputError(
            f"Expected the result of a run in {folder} but it cannot be shown ({type(error).__name__}: {error}); "
            "restore its result.json from a copy."
        ) from error
