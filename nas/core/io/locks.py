"""Files that one process at a time may have."""

from __future__ import annotations

from typing import IO, Any

from filelock import lock_descriptor


def try_lock(file: IO[Any]) -> bool:
    """Whether this process has the open file for itself, from now until it closes it or ends, however it ends.

    False where another process has it, and where its disk knows no locks.
    """
    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return False
