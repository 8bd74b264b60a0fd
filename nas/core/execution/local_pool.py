"""A pool of workers that are processes of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.spawn
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from nas.core.errors import InputError, NasError, Terminated
from nas.core.execution import signals
from nas.core.execution.pickling import dumps
from nas.core.execution.worker_pool import Work, WorkerEvent, WorkerPool, make_repeatable, mute_data_notes
from nas.core.registry import Reference, add_referenced, importable_additions
from nas.core.storage.base import TaskResult

GRACE_SECONDS = 20.0  # to finish a training step and save a checkpoint
# imported by torch's optimisers and deterministic kernels, which takes a second
SLOW_IMPORTS = ("torch._dynamo", "torch._inductor.config")
_starting = threading.Lock()


class LocalPool(WorkerPool):
    """Processes of this machine, which end when this process ends, however it ends.

    On Linux, a server process forks them. It does nothing else, and it has imported those modules of the project that
    this process had imported when it started its first worker. So a worker starts without waiting for imports.

    A worker never imports the program that this process runs (`__main__`), so the program needs no guard. It has
    the components that were added to registries of this process and that it can import. Raises InputError if the work
    contains something that it cannot import.
    """

    def __init__(self, work: Work, threads: int) -> None:
        if multiprocessing.current_process().daemon:
            raise InputError(
                "Expected several workers only outside of worker processes but this process is a worker (one of this "
                "project if a module that a worker imports makes this call at its top level); leave workers at 1 here."
            )
        self._work = dumps(work)
        self._additions = importable_additions()
        self._threads = threads
        self._started: dict[int, tuple[BaseProcess, Connection]] = {}
        self._count = 0

    def start(self) -> int:
        context = _context()
        ours, theirs = context.Pipe()
        arguments = (theirs, self._additions, self._work, self._threads, dict(os.environ))
        process = context.Process(target=_serve, args=arguments, daemon=True)
        with _starting, _main_not_sent():
            process.start()
        theirs.close()
        self._count += 1
        self._started[self._count] = (process, ours)
        return self._count

    def submit(self, worker: int, key: Any, item: Any) -> None:
        try:
            self._started[worker][1].send_bytes(dumps((key, item)))
        except OSError:  # the worker has died; `poll` will say so
            return

    def poll(self, timeout: float) -> list[WorkerEvent]:
        owner = {connection: worker for worker, (_, connection) in self._started.items()}
        return [self._event(owner[connection]) for connection in wait(list(owner), timeout)]  # type: ignore[index]

    def _event(self, worker: int) -> WorkerEvent:
        try:
            message = self._started[worker][1].recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            self.stop(worker)
            return WorkerEvent(worker)
        if isinstance(message, BaseException):
            raise message
        return WorkerEvent(worker, ready=message is None, result=message)

    def stop(self, worker: int) -> None:
        process, connection = self._started.pop(worker)
        process.kill()
        process.join(5)
        connection.close()

    def close_after_saving(self) -> None:
        """Stop all workers: a training after it has saved, within `GRACE_SECONDS`; any other work at once."""
        for process, _ in self._started.values():
            process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for process, _ in self._started.values():
            process.join(max(0.0, end - time.monotonic()))
        self.close()

    def workers(self) -> list[int]:
        return list(self._started)


def _context() -> multiprocessing.context.SpawnContext | multiprocessing.context.ForkServerContext:
    """How processes of this machine are started."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(to_preload(sys.modules))  # of no effect once the server runs
    return context


@contextmanager
def _main_not_sent() -> Iterator[None]:
    """Processes that this thread starts during the block do not import the `__main__` of this process."""
    usual, thread = multiprocessing.spawn.get_preparation_data, threading.get_ident()

    def without_main(name: str) -> dict[str, object]:
        data = usual(name)
        if threading.get_ident() == thread:
            for key in ("init_main_from_name", "init_main_from_path"):
                data.pop(key, None)
        return data

    multiprocessing.spawn.get_preparation_data = without_main
    try:
        yield
    finally:
        multiprocessing.spawn.get_preparation_data = usual


def to_preload(imported: Iterable[str]) -> list[str]:
    """Those of `imported` that the fork server imports once for all workers: modules of `nas` and `SLOW_IMPORTS`."""
    return [name for name in imported if name.split(".")[0] == "nas" or name in SLOW_IMPORTS]


def _serve(
    connection: Connection,
    additions: list[Reference],
    pickled: bytes,
    threads: int,
    environment: dict[str, str],
) -> None:
    os.environ.clear()  # the fork server may have another environment
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signals.listen([signal.SIGTERM], act=lambda number: os._exit(128 + number))
    make_repeatable(threads)
    mute_data_notes()

    threading.Thread(target=_exit_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    try:
        _do_tasks(connection, additions, pickled)
    except (EOFError, ConnectionError):  # the run is over or was killed
        return
    except Terminated as error:  # after a training has saved
        os._exit(128 + error.number)


def _exit_with(parent: BaseProcess | None) -> None:
    """End this process when its parent ends; without a parent, do nothing."""
    if parent is not None:
        parent.join()
        os._exit(1)  # the run was killed: stop at once, because a resumed run writes to the same folder


def _do_tasks(connection: Connection, additions: list[Reference], pickled: bytes) -> None:
    """Add the components, unpickle the work, then do one task after another."""
    try:
        add_referenced(additions)
        work: Work = pickle.loads(pickled)
    except Exception as error:
        connection.send(NasError(f"A worker process could not start: {type(error).__name__}: {error}"))
        return
    connection.send(None)
    while True:
        key, item = connection.recv()
        try:
            answer: Any = work(key, item)
        except Exception as error:  # not an error of the task: `work` returns that as a failure
            answer = error
        try:
            connection.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            connection.send(TaskResult(key, None, f"{type(error).__name__}: {error}", 0.0))
