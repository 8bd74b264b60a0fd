"""Files that one process at a time may have."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from nas.core.errors import InputError


def try_lock(file: IO[Any]) -> bool:
    """Whether this process has the open file for itself, from now until it closes it or ends, however it ends.

    False where another process has it, and where its disk knows no locks.
    """
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return False


def lock(file: IO[Any], path: Path, use: str) -> None:
    """Have the open file for this process until it is closed; `InputError` where another one `use`s the `path`."""
    if not try_lock(file):
        file.close()
        raise InputError(f"Expected {path} to be free but another process {use} it; wait for it or stop it.")
