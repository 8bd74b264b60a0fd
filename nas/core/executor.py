"""Run independent evaluations in order-independent fashion: in this process, or in a pool of local processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.files import told_plainly

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class ExecutorSettings:
    workers: int | None = None  # processes; by default one per `threads` cores, one on a GPU
    threads: int = 1  # of torch in each process; results may differ between numbers of threads, never of workers

    def check(self) -> None:
        if not 1 <= self.threads <= 1024:
            raise InputError(f"Expected executor.threads between 1 and 1024 but got {self.threads}.")
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise InputError(f"Expected executor.workers between 1 and 1024 but got {self.workers}.")

    def processes(self, device: str) -> int:
        if self.workers is not None:
            return self.workers
        return max(1, _cores() // self.threads) if device == "cpu" else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What became of one item: its result, or the reason of its failure; and how long it took."""

    index: int
    result: Result | None
    failure: str | None
    seconds: float


def _attempt(function: Callable[[Any], Any], index: int, item: Any) -> Done[Any]:
    start = time.perf_counter()
    try:
        with told_plainly(Path.cwd()):
            result, failure = function(item), None
    except (InputError, ResourceError):
        raise
    except (MemoryError, OSError, torch.OutOfMemoryError) as error:
        raise ResourceError(_out_of(error)) from error
    except RuntimeError as error:
        if "allocate memory" in str(error):  # what torch says on a CPU
            raise ResourceError(_out_of(error)) from error
        result, failure = None, f"{type(error).__name__}: {error}"
    except NasError as error:
        result, failure = None, str(error)
    except Exception as error:
        result, failure = None, f"{type(error).__name__}: {error}"
    return Done(index, result, failure, time.perf_counter() - start)


def _out_of(error: BaseException) -> str:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"The machine ran out of something ({reason}); continue with `nas resume RUN executor.workers=1`."


def _make_repeatable(threads: int) -> None:
    """What results may depend on is set here, in every process alike."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


_function: Callable[[Any], Any]  # in a worker: what to do with an item


def _start_worker(function: bytes, threads: int, parent: int) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _make_repeatable(threads)

    def follow_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)  # the run was killed: stop at once, its resumption writes to the same folder

    threading.Thread(target=follow_parent, daemon=True).start()
    _function = pickle.loads(function)


def _attempt_in_worker(index: int, item: Any) -> Done[Any]:
    return _attempt(_function, index, item)


class LocalExecutor(Generic[Item, Result]):
    """Applies `function` to items. With more than one worker it must be picklable; it is sent to each worker once.

    An exception of one item becomes its `failure`. An `InputError` (full disk, missing data) or `ResourceError` (no
    memory) stops everything: it says nothing about the item, and a resumed run tries again.
    """

    def __init__(self, function: Callable[[Item], Result], workers: int, threads: int) -> None:
        self.function = function
        self.workers = workers
        self.threads = threads
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalExecutor[Item, Result]:
        _make_repeatable(self.threads)
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def map(self, items: Sequence[Item], tick: Callable[[], None] = lambda: None) -> Iterator[Done[Result]]:
        """Each item's outcome as it finishes. `tick` is called now and then while waiting."""
        if self.workers == 1:
            for index, item in enumerate(items):
                yield _attempt(self.function, index, item)
            return
        left = dict(enumerate(items))
        for tries in (1, 2):
            try:
                for done in self._submit(left, tick):
                    del left[done.index]
                    yield done
                return
            except BrokenProcessPool as error:
                self._stop()
                if tries == 2:
                    raise NasError(
                        "A worker process was killed twice (out of memory?); continue with "
                        "`nas resume RUN executor.workers=1`."
                    ) from error

    def _submit(self, items: dict[int, Item], tick: Callable[[], None]) -> Iterator[Done[Result]]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(pickle.dumps(self.function), self.threads, os.getpid()),
            )
        waiting: set[Future[Done[Result]]] = {
            self._pool.submit(_attempt_in_worker, index, item) for index, item in items.items()
        }
        while waiting:
            finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            tick()

    def _stop(self) -> None:
        if self._pool is None:
            return
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(5)
        self._pool = None
