"""What the tests of the executor on Ray have done: a module that workers can import quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from nas.core.errors import InputError


class Work:
    """Squares; notes in `folder` each time it is unpickled and each item begun. Fails, hangs or dies as asked."""

    def __init__(self, folder: Path, dies: int | None = None, slow: float = 0.0) -> None:
        self.folder, self.dies, self.slow = folder, dies, slow

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        (self.folder / f"unpickled-{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, item: int) -> int:
        (self.folder / f"item-{item}-{os.getpid()}-{time.monotonic_ns()}").touch()
        if item == self.dies and len(list(self.folder.glob(f"item-{item}-*"))) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 3:
            raise ValueError("three is bad")
        if item == 13:
            raise InputError("the disk is full")
        time.sleep(1000 if item == 99 else self.slow)
        return item * item
