"""Locks on files, each held by one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from nas.core.errors import InputError


def try_lock(file: IO[Any]) -> bool:
    """Lock the open file for this process until the file is closed or the process ends, however it ends.

    Returns `False` if another process holds the lock or the disk has no locks.
    """
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return False


def lock(file: IO[Any], path: Path, use: str) -> None:
    """`try_lock`, but raises `InputError` if another process uses the file at `path`; `use` says how: "writes to"."""
    if not try_lock(file):
        file.close()
        raise InputError(f"Expected {path} to be free but another process {use} it; wait for that process or stop it.")
