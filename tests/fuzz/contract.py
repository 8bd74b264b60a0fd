"""The contract of fuzzing: any bytes are either taken, or refused in one line; never slowly, never at great cost."""

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
LONGEST = 4000  # characters of a message
SEPARATOR = b"\n-- next file --\n"  # between the files of an input that stands for several


class Finding(AssertionError):
    """An input that was neither taken nor refused in one line."""


class _OutOfTime(BaseException):
    """Not an `Exception`, so that no reader takes it for damage of its file."""


@dataclass(frozen=True)
class Target:
    """A reader and what it reads.

    `read` is given any bytes. It returns where it takes them, raises `NasError` where it refuses them, and checks
    what must hold of what it took (`assert`). `seeds` gives inputs that are taken: fuzzing starts from them.
    """

    name: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]

    @property
    def doc(self) -> str:
        """The first line of the docstring of `read`."""
        return (self.read.__doc__ or "").strip().split("\n")[0]


def target(name: str, seeds: Callable[[], Sequence[bytes]]) -> Callable[[Callable[[bytes], None]], Target]:
    """Makes a `Target` of a function."""
    return lambda read: Target(name, read, seeds)


def check(target: Target, data: bytes) -> bool:
    """Whether the target takes the bytes; `Finding` where it is slow or refuses them otherwise than in one line.

    Whatever else is raised, `MemoryError` among it, is a finding too and comes through.
    """
    try:
        with bounded():
            target.read(data)
    except NasError as error:
        message = str(error)
        if len(message.splitlines()) != 1 or len(message) > LONGEST:
            raise Finding(f"{target.name} refused {data[:200]!r} with the message {message[:500]!r}") from error
        return False
    except _OutOfTime as error:
        raise Finding(f"{target.name} took more than {SECONDS} s for {data[:200]!r}") from error
    return True


@contextmanager
def bounded() -> Iterator[None]:
    """Hold the block to `SECONDS` of processor time and `MEGABYTES` of new address space, where the system can."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("signals come to the main thread only")

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
    """Bytes of address space; the limit as it is where the system does not tell what is used."""
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
