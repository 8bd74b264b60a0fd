"""Signals that ask a process to end: it ends in an orderly way, after the current training step if there is one.

SIGINT (Ctrl-C), SIGTERM and SIGUSR1 (which schedulers send before they take a machine away) are raised as `Terminated`
wherever the process is. Inside a `deferred` block the first signal waits: the block asks `was_received` and can save
its work before it ends. Another signal, more than `SECOND_SIGNAL_SECONDS` after the first, ends the process at once;
only unsaved work is lost then.
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
SECOND_SIGNAL_SECONDS = 1.0  # many senders reach a process twice, as a member of its group and by its number
_number = 0  # of the signal received, 0 before that
_received_at = 0.0  # monotonic seconds
_deferring = 0  # number of nested blocks that defer signals


def listen(numbers: Sequence[int] = SIGNALS, act: Callable[[int], None] | None = None) -> None:
    """From now on, handle these signals as this module describes; `act` gets the number before `Terminated` is raised.

    SIGINT stays ignored if it is ignored now: that is how a shell starts background jobs.
    """
    global _number
    _number = 0

    def handle(number: int, frame: FrameType | None) -> None:
        global _number, _received_at
        if _number:
            if time.monotonic() - _received_at > SECOND_SIGNAL_SECONDS:
                os._exit(128 + number)
            return
        _number, _received_at = number, time.monotonic()
        if not _deferring:
            if act is not None:
                act(number)
            raise Terminated(number)

    for number in numbers:
        if number != signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def was_received() -> bool:
    """Whether a signal has been received and waits for the current block to end."""
    return _number > 0


@contextmanager
def deferred() -> Iterator[None]:
    """Defer signals during the block; a signal is raised at the end of the block at the latest."""
    global _deferring
    _deferring += 1
    try:
        yield
    finally:
        _deferring -= 1
    if _number and not _deferring:
        raise_received()


def raise_received() -> NoReturn:
    """Raise the received signal as `Terminated`; raise SIGTERM if only another process has received one."""
    raise Terminated(_number or signal.SIGTERM)
