"""The contract of fuzzing: any bytes are either accepted, or refused in one line, in little time and memory."""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from nas.core.errors import NasError

SECONDS = 5.0  # of processor time, per input
MEGABYTES = 512  # of address space beyond what the process has already, per input
MAX_MESSAGE_LENGTH = 4000  # characters
SEPARATOR = b"\n-- next file --\n"  # between the files of an input that holds several


class Finding(AssertionError):
    """An input that was neither accepted nor refused in one line."""


class _OutOfTime(BaseException):
    """Not an `Exception`, so that no reader mistakes it for an error of its file."""


@dataclass(frozen=True)
class Target:
    """A reader, and good inputs for it.

    `read` gets any bytes. It returns if it accepts them, raises `NasError` if it refuses them, and asserts what must
    hold of what it accepted. `seeds` gives inputs that are accepted, from which fuzzing starts.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]

    @property
    def doc(self) -> str:
        """The first line of the docstring of `read`."""
        return (self.read.__doc__ or "").strip().split("\n")[0]


def target(name: str, seeds: Callable[[], Sequence[bytes]]) -> Callable[[Callable[[bytes], None]], Target]:
    """A decorator that makes a `Target` of a function."""
    return lambda read: Target(name, read, seeds)


def check(target: Target, data: bytes) -> bool:
    """Whether the target accepts the bytes. Raises `Finding` if it is slow, or refuses them but not in one line.

    Any other error, such as a `MemoryError`, is a finding too and is not caught.
    """
    try:
        with bounded():
            target.read(data)
    except NasError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or len(message) > MAX_MESSAGE_LENGTH:
            raise Finding(f"{target.name} refused {data[:200]!r} with the message {message[:500]!r}") from error
        return False
    except _OutOfTime as error:
        raise Finding(f"{target.name} took more than {SECONDS} s for {data[:200]!r}") from error
    return True


@contextmanager
def bounded() -> Iterator[None]:
    """Limit the block to `SECONDS` of processor time and, on Linux, to `MEGABYTES` of new address space."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("only the main thread gets signals")

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise _OutOfTime

    handler = signal.signal(signal.SIGPROF, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_allowed(soft), hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, handler)


def _allowed(soft: int) -> int:
    """The limit of the address space in bytes; the present one if the system does not say how much is used."""
    if not sys.platform.startswith("linux"):
        return soft
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    allowed = used + MEGABYTES * 2**20
    return allowed if soft == resource.RLIM_INFINITY else min(soft, allowed)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the files of one input."""
    with tempfile.TemporaryDirectory(prefix="nas-fuzz-") as name:
        yield Path(name)
