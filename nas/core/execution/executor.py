"""Apply a function to independent tasks: in this process, in other processes of this machine, or on a cluster."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from nas.core.config.section import Section
from nas.core.errors import RESUME_WITH_ONE_WORKER, InputError, NasError, ResourceError, Terminated
from nas.core.execution.local_pool import LocalPool
from nas.core.execution.out_of_memory import is_shortage
from nas.core.execution.ray_pool import RayPool
from nas.core.execution.worker_pool import WorkerEvent, WorkerPool, make_repeatable
from nas.core.io.files import os_errors_as_input_errors
from nas.core.reproducibility import Deterministic
from nas.core.storage.base import FactStore, Key, Result, TaskResult
from nas.core.storage.sqlite import SqliteStore

Item = TypeVar("Item")

LOCAL, RAY = EXECUTORS = ("local", "ray")
TICK_SECONDS = 0.5  # the longest wait before `tick` is called again


@dataclass
class ExecutorSettings(Section):
    section: ClassVar[str] = "executor"

    name: str = "local"  # local: processes of this machine; ray: workers on a cluster (`executor=ray` for short)
    workers: int | None = None  # by default one per `threads` cores, or one on a GPU; on a cluster, as many as fit
    threads: int = 1  # of torch in each worker; results may depend on this number, never on that of workers
    retries: int = 2  # how often a task is tried again after its worker died
    deadline: float | None = None  # time limit of a task in seconds; a task that exceeds it is stopped and fails
    address: str | None = None  # ray: host:port of a cluster; auto finds one on this machine; null starts one here
    deterministic: bool = False  # use only kernels that give the same bits each time; slower on a GPU
    gpus: float | None = None  # ray: GPUs of each worker, or a fraction of one; by default 1 if `device` is a GPU

    def check(self) -> None:
        """Raises InputError if a value is impossible, or if `address` or `gpus` is set but the executor is not ray."""
        if self.name not in EXECUTORS:
            raise InputError(f"Expected executor={' or '.join(EXECUTORS)} but got {self.name!r}.")
        for key in ("address", "gpus"):
            if self.name == LOCAL and getattr(self, key) is not None:
                raise InputError(f"Expected executor.{key} only with executor=ray; set that or leave this out.")
        if self.address == "":
            raise InputError("Expected executor.address=host:port or auto but got an empty text; leave it out.")
        if self.gpus is not None and not (0 < self.gpus < 1 or (self.gpus >= 0 and self.gpus == int(self.gpus))):
            raise InputError(f"Expected executor.gpus as a whole number or a fraction below 1 but got {self.gpus}.")
        self.check_between({"threads": (1, 1024), "workers": (1, 4096), "retries": (0, 100)})
        if self.deadline is not None and not 0 < self.deadline < float("inf"):
            raise InputError(f"Expected executor.deadline > 0 seconds or null but got {self.deadline}.")

    def processes(self, device: str) -> int:
        if self.workers is not None:
            return self.workers
        return max(1, _cores() // self.threads) if device == "cpu" else 1

    def in_this_process(self, device: str) -> bool:
        """Whether this process does the work itself; `device` is the kind that it would use."""
        return self.name == LOCAL and self.processes(device) == 1 and self.deadline is None

    def gpus_each(self, device: str) -> float:
        """GPUs of each worker on a cluster; `device` is what this process would use."""
        return self.gpus if self.gpus is not None else float(device != "cpu")

    def computes_on(self, device: str) -> str:
        """The kind of device that workers use if this process would use `device`; a cluster may use another kind."""
        return device if self.name == LOCAL else "cuda" if self.gpus_each(device) > 0 else "cpu"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Task:
    """A task that is waiting or running; `position` is its number within a `map`."""

    position: int
    key: Any
    item: Any
    tries: int = 0  # tries during which the worker died
    started: float = 0.0

    def failed(self, reason: str) -> TaskResult[Any, Any]:
        return TaskResult(self.key, None, reason, time.monotonic() - self.started)


@dataclass
class MapState:
    """What is left to do in a `map`. A task is taken from `source` only when a worker can take it."""

    source: Iterator[tuple[Any, Any]]
    ahead: int | None  # how many tasks may be taken beyond the first unfinished one
    waiting: deque[_Task] = field(default_factory=deque)
    busy: dict[int, _Task] = field(default_factory=dict)  # by worker
    taken: int = 0
    exhausted: bool = False  # whether `source` is

    def take(self, count: int) -> None:
        """Take tasks until `count` are waiting, `source` is exhausted or `ahead` forbids another."""
        while len(self.waiting) < count and not self.exhausted:
            first = min([task.position for task in (*self.waiting, *self.busy.values())], default=self.taken)
            if self.ahead is not None and self.taken - first >= self.ahead:
                return
            following = next(self.source, None)
            self.exhausted = following is None
            if following is not None:
                self.waiting.append(_Task(self.taken, *following))
                self.taken += 1

    @property
    def finished(self) -> bool:
        self.take(1)
        return self.exhausted and not self.waiting and not self.busy


class Executor(Generic[Item, Result]):
    """Applies `function` to items. With several workers the function must be picklable; it is sent to each worker once.

    A task fails if the function raises an exception, if it exceeds the time limit, or if its worker dies in the
    first try and in all `retries` further tries. An `InputError` (full disk, missing data) or `ResourceError` (no
    memory) is raised instead and stops everything: it says nothing about the task, and a resumed run tries again.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        workers: int,
        threads: int,
        retries: int = 2,
        time_limit: float | None = None,
        pool: WorkerPool | None = None,
    ) -> None:
        """By default, workers are processes of this machine; a single worker without time limit is this process."""
        self.function = function
        self.workers = workers
        self.threads = threads
        self.retries = retries
        self.time_limit = time_limit
        self.capacity = workers  # workers that can compute at the same time, here or on the cluster
        self._pool = pool
        self._in_this_process = pool is None and workers == 1 and time_limit is None
        self._idle: list[int] = []
        self._failed_starts = 0  # workers in a row that died before they were ready

    def __enter__(self) -> Executor[Item, Result]:
        make_repeatable(self.threads)
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            (self._pool.close_after_saving if isinstance(error[1], Terminated) else self._pool.close)()

    def store_factory(self, path: Path) -> Callable[[], FactStore]:
        """A picklable function by which workers open the store at `path` of this machine. Call this before `map`."""
        return partial(SqliteStore, path) if self._pool is None else self._pool.store_factory(path)

    def map(
        self, tasks: Iterable[tuple[Key, Item]], tick: Callable[[], None] = lambda: None, ahead: int | None = None
    ) -> Iterator[TaskResult[Key, Result]]:
        """Yield the result of each task (a key and an item) when it is finished; `tick` is called while waiting.

        Tasks are taken as workers become free, at most `ahead` of them beyond the first unfinished one.
        """
        if self._in_this_process:
            for key, item in tasks:
                yield run_task(self.function, key, item)
            return
        if self._pool is None:
            self._pool = LocalPool(partial(run_task, self.function), self.threads)
        state = MapState(iter(tasks), ahead)
        try:
            while not state.finished:
                self._dispatch(self._pool, state)
                for event in self._pool.poll(self._seconds_to_wait(state)):
                    result = self._handle_event(self._pool, event, state)
                    if result is not None:
                        yield result
                for worker, task in list(state.busy.items()):
                    if self.time_limit is not None and time.monotonic() - task.started > self.time_limit:
                        self._pool.stop(worker)
                        del state.busy[worker]
                        yield task.failed(f"It took longer than executor.deadline={self.time_limit:g} seconds.")
                tick()
        except Terminated:
            self._pool.close_after_saving()
            raise
        finally:
            for worker in state.busy:  # the caller wants no more results, or there was an error
                if worker in self._pool.workers():
                    self._pool.stop(worker)

    def _dispatch(self, pool: WorkerPool, state: MapState) -> None:
        """Submit tasks to idle workers, and start workers while there are more tasks than workers."""
        state.take(self.workers - len(state.busy))
        while state.waiting and self._idle and self._may_submit(pool, state):
            worker = self._idle.pop()
            task = state.busy[worker] = state.waiting.popleft()
            task.started = time.monotonic()
            pool.submit(worker, task.key, task.item)
        starting = len(pool.workers()) - len(state.busy) - len(self._idle)
        for _ in range(min(self.workers - len(pool.workers()), len(state.waiting) - starting)):
            pool.start()

    def _may_submit(self, pool: WorkerPool, state: MapState) -> bool:
        """Whether the next task may start now.

        The last try of a task waits until it can run alone on its machine, so that no other task takes the memory that
        it needs.
        """
        if pool.on_several_machines:
            return True

        def last_try(task: _Task) -> bool:
            return task.tries == self.retries > 0

        return not any(map(last_try, state.busy.values())) and not (state.busy and last_try(state.waiting[0]))

    def _handle_event(self, pool: WorkerPool, event: WorkerEvent, state: MapState) -> TaskResult[Any, Any] | None:
        """Update the state of the workers; return the result of a task if the event brings one."""
        if event.ready:
            self._failed_starts = 0
            self._idle.append(event.worker)
            return None
        if event.worker in self._idle:
            self._idle.remove(event.worker)
            return None
        task = state.busy.pop(event.worker, None)
        if event.result is not None:
            self._idle.append(event.worker)
            return event.result if task is not None else None
        if task is None:
            self._failed_starts += 1
            if self._failed_starts > pool.max_failed_starts:
                raise ResourceError(
                    f"{self._failed_starts} worker processes in a row were killed as they started (out of memory?); "
                    f"{RESUME_WITH_ONE_WORKER}."
                )
            return None
        task.tries += not event.not_started
        if event.not_started or task.tries <= self.retries:
            state.waiting.appendleft(task)
            return None
        times = f"{task.tries} time{'s' if task.tries > 1 else ''}"
        return task.failed(f"Its worker process was killed {times} (out of memory?).")

    def _seconds_to_wait(self, state: MapState) -> float:
        """Seconds until the next tick or the next end of a time limit."""
        if self.time_limit is None or not state.busy:
            return TICK_SECONDS
        first = min(task.started for task in state.busy.values()) + self.time_limit - time.monotonic()
        return min(TICK_SECONDS, max(0.0, first))


def run_task(function: Callable[[Any], Any], key: Key, item: Any) -> TaskResult[Key, Any]:
    """The result of `function(item)` under the task's key; an exception becomes the failure of the task.

    Raises only `InputError` and `ResourceError` (no memory, no file handles): they say nothing about the task.
    """
    start = time.perf_counter()
    try:
        with os_errors_as_input_errors(Path.cwd()):
            result, failure = function(item), None
    except (InputError, ResourceError):
        raise
    except Exception as error:
        if isinstance(error, OSError) or is_shortage(error):
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ResourceError(f"The machine ran out of a resource ({reason}); {RESUME_WITH_ONE_WORKER}.") from error
        result, failure = None, str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"
    return TaskResult(key, result, failure, time.perf_counter() - start)


def executor_for(
    function: Callable[[Item], Result],
    settings: ExecutorSettings,
    device: str,
    max_workers: int | None = None,
    zero_resources: bool = False,
) -> Executor[Item, Result]:
    """The executor that the settings ask for, with at most `max_workers` workers.

    `device` is where this process would do the work. With `zero_resources`, these workers do nothing but wait for other
    workers of the cluster: they occupy no cores, so there may be more of them than `capacity`. Raises `InputError` if
    the cluster is missing or has no room.
    """
    if settings.deterministic:
        function = Deterministic(function)
    pool: RayPool | None = None
    if settings.name == RAY:
        gpus = settings.gpus_each(device)
        work = partial(run_task, function)
        pool = RayPool(work, settings.threads, gpus, settings.address, settings.workers, zero_resources)
    capacity = pool.capacity if pool is not None else settings.processes(device)
    wanted = capacity if max_workers is None else max_workers
    workers = max(1, wanted if zero_resources else min(capacity, wanted))
    executor = Executor(function, workers, settings.threads, settings.retries, settings.deadline, pool)
    executor.capacity = capacity
    return executor


def results_of(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    settings: ExecutorSettings | None,
    task: str,
    tick: Callable[[Collection[Item]], None],
) -> dict[Item, tuple[Result, float]]:
    """The result of each item and its seconds, by default in this process; `tick` is called with the finished items.

    Raises NasError if an item fails; its message names the failed `task`.
    """
    results: dict[Item, tuple[Result, float]] = {}
    with executor_for(function, settings or ExecutorSettings(workers=1), "cpu", len(items)) as executor:
        for outcome in executor.map(zip(items, items)):
            if outcome.result is None:
                raise NasError(f"{task} failed: {outcome.failure}")
            results[outcome.key] = outcome.result, outcome.seconds
            tick(results)
    return results
