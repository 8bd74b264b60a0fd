"""Signals that ask a process to end: it does so in order, and where a training step is under way, after it.

SIGINT (Ctrl-C), SIGTERM and SIGUSR1 (what schedulers send before they take a machine away) are raised as `Terminated`
wherever the process is. Inside `held` the first of them waits for the block to look at `asked`, so that it can save
what it has. A signal that comes more than `PATIENCE` seconds after it ends the process at once; nothing is lost by that
but what is under way.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from nas.core.errors import Terminated

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
PATIENCE = 1.0  # seconds; many senders reach a process twice, as one of a group and by its number
_number = 0  # of the signal that came, 0 while there was none
_when = 0.0  # it came
_held = 0  # blocks that want to end by themselves


def listen(numbers: Sequence[int] = SIGNALS, act: Callable[[int], None] | None = None) -> None:
    """From now on take these signals as described; `act` is called with the number instead of raising.

    An interrupt that is ignored stays so: a shell starts jobs in the background that way.
    """
    global _number
    _number = 0

    def handle(number: int, frame: FrameType | None) -> None:
        global _number, _when
        if _number:
            if time.monotonic() - _when > PATIENCE:
                os._exit(128 + number)
            return
        _number, _when = number, time.monotonic()
        if not _held:
            if act is not None:
                act(number)
            raise Terminated(number)

    for number in numbers:
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def asked() -> bool:
    """Whether a signal waits for the block under way to end."""
    return _number > 0


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait; it is raised at the end of the block at the latest."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _number and not _held:
        end()


def end() -> NoReturn:
    """Raise the signal that came; where it was another process's, as if it had come here."""
    raise Terminated(_number or signal.SIGTERM)
