"""The files of a run that other modules read: its result and its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.core.errors import InputError
from nas.core.io.files import DamagedError, read_with_checksum
from nas.results import Result, result_type
from nas.runs.run_config import read_config

RESULT = "result.json"
STORE = "store.sqlite"


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
        raise InputError(f"Expected a readable {path} but: {error}; check the file's permissions.") from error
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
