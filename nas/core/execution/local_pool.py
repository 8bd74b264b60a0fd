"""Workers: processes that do one item at a time."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from nas.core.errors import NasError, Terminated
from nas.core.execution import signals
from nas.core.execution.task import Done, attempt, leave_notes_to_others, make_repeatable
from nas.core.storage.sqlite import Store

GRACE = 20.0  # seconds for a step of training and its checkpoint
SLOW = ("torch._dynamo", "torch._inductor.config")  # imported by torch's optimisers and deterministic kernels: a second


class News(NamedTuple):
    """Of one worker: it is `ready` for its first item, an item is `done`, or (neither) it died."""

    worker: int
    ready: bool = False
    done: Done[Any] | None = None
    unbegun: bool = False  # it died before it began the item that it was given


class RemoteStore(Protocol):
    """What workers use of a run's store; see `nas.core.storage.sqlite.Store`."""

    def __enter__(self) -> RemoteStore: ...

    def __exit__(self, *error: object) -> None: ...

    def get(self, key: str, default: Any = None) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...


class Crew(ABC):
    """Workers by number. A worker gets the function once, when it is hired, and then one item after the other."""

    apart = False  # whether workers are on several machines, so that one's memory says nothing about another's
    stillborn = 3  # workers in a row that may die before they are ready

    @abstractmethod
    def hire(self) -> int:
        """Start a worker; `news` tells when it is ready."""

    @abstractmethod
    def give(self, worker: int, index: int, item: Any) -> None:
        """An item for a worker that has none."""

    @abstractmethod
    def news(self, timeout: float) -> list[News]:
        """What happened, after at most `timeout` seconds. Raises what no item is to blame for."""

    @abstractmethod
    def dismiss(self, worker: int) -> None:
        """End a worker whatever it does; there will be no news of it."""

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers():
            self.dismiss(worker)

    def opener(self, path: Path) -> Callable[[], Store | RemoteStore]:
        """See `Executor.opener`."""
        return partial(Store, path)

    def release(self) -> None:
        """End all workers, after letting them leave what they do in order where that can be done."""
        self.close()

    @abstractmethod
    def workers(self) -> list[int]:
        """Those that were hired and neither died nor were dismissed."""


class Processes(Crew):
    """Processes of this machine. They end when this process does, however it ends.

    On Linux they are forks of a server that has imported what this process had of the project when it hired its first
    worker, and that does nothing else: a worker starts without the seconds that importing takes.
    """

    def __init__(self, function: Callable[[Any], Any], threads: int) -> None:
        self._function = pickle.dumps(function)
        self._threads = threads
        self._hired: dict[int, tuple[BaseProcess, Connection]] = {}
        self._count = 0

    def hire(self) -> int:
        context = _context()
        ours, theirs = context.Pipe()
        given = (theirs, self._function, self._threads, dict(os.environ))
        process = context.Process(target=_serve, args=given, daemon=True)
        process.start()
        theirs.close()
        self._count += 1
        self._hired[self._count] = (process, ours)
        return self._count

    def give(self, worker: int, index: int, item: Any) -> None:
        try:
            self._hired[worker][1].send((index, item))
        except OSError:  # it died; `news` will say so
            return

    def news(self, timeout: float) -> list[News]:
        owner = {connection: worker for worker, (_, connection) in self._hired.items()}
        return [self._of(owner[connection]) for connection in wait(list(owner), timeout)]  # type: ignore[index]

    def _of(self, worker: int) -> News:
        try:
            message = self._hired[worker][1].recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            self.dismiss(worker)
            return News(worker)
        if isinstance(message, BaseException):
            raise message
        return News(worker, ready=message is None, done=message)

    def dismiss(self, worker: int) -> None:
        process, connection = self._hired.pop(worker)
        process.kill()
        process.join(5)
        connection.close()

    def release(self) -> None:
        """A training saves after its step, for which it has `GRACE` seconds; anything else ends at once."""
        for process, _ in self._hired.values():
            process.terminate()
        end = time.monotonic() + GRACE
        for process, _ in self._hired.values():
            process.join(max(0.0, end - time.monotonic()))
        self.close()

    def workers(self) -> list[int]:
        return list(self._hired)


def _context() -> multiprocessing.context.SpawnContext | multiprocessing.context.ForkServerContext:
    """How processes of this machine start."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_preloaded())  # of no effect once the server runs
    return context


def _preloaded() -> list[str]:
    """What the server of forks imports once for all workers: what this process has of the package and of `SLOW`."""
    return [name for name in sys.modules if name.split(".")[0] == "nas" or name in SLOW]


def _serve(connection: Connection, function: bytes, threads: int, environment: dict[str, str]) -> None:
    os.environ.clear()  # a server may have been started with another
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signals.listen([signal.SIGTERM], act=lambda number: os._exit(128 + number))
    make_repeatable(threads)
    leave_notes_to_others()

    threading.Thread(target=_follow, args=(multiprocessing.parent_process(),), daemon=True).start()
    try:
        _work(connection, function)
    except (EOFError, ConnectionError):  # the run is over or was killed
        return
    except Terminated as error:  # after a training has saved
        os._exit(128 + error.number)


def _follow(run: BaseProcess | None) -> None:
    """End with the process that hired this one; None where this is that process."""
    if run is not None:
        run.join()
        os._exit(1)  # the run was killed: stop at once, its resumption writes to the same folder


def _work(connection: Connection, function: bytes) -> None:
    """Unpickle the function, then apply it to what comes."""
    try:
        work = pickle.loads(function)
    except Exception as error:
        connection.send(NasError(f"A worker process could not start: {type(error).__name__}: {error}"))
        return
    connection.send(None)
    while True:
        index, item = connection.recv()
        try:
            answer: Any = attempt(work, index, item)
        except Exception as error:  # no item is to blame
            answer = error
        try:
            connection.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            connection.send(Done(index, None, f"{type(error).__name__}: {error}", 0.0))
