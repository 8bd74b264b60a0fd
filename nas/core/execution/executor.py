"""Apply a function to independent items: in this process, in others of this machine, or on a cluster."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from nas.core.errors import InputError, ResourceError, Terminated
from nas.core.execution.local_pool import Crew, News, Processes, RemoteStore
from nas.core.execution.task import Done, attempt, make_repeatable
from nas.core.reproducibility import Deterministic
from nas.core.storage.sqlite import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCAL, RAY = EXECUTORS = ("local", "ray")
PATIENCE = 0.5  # seconds between two ticks


@dataclass
class ExecutorSettings:
    name: str = "local"  # processes of this machine; or ray, workers on a cluster (`executor=ray` for short)
    workers: int | None = None  # by default one per `threads` cores, one on a GPU; on a cluster, as it has room for
    threads: int = 1  # of torch in each process; results may differ between numbers of threads, never of workers
    retries: int = 2  # how often an item whose worker died is tried again
    deadline: float | None = None  # seconds that an item may take; then its worker is ended and it counts as failed
    address: str | None = None  # ray: of a cluster, as host:port; auto finds that of this machine; null starts one here
    deterministic: bool = False  # only kernels that give the same bits each time; slower on a GPU
    gpus: float | None = None  # ray: of each worker, or a share of one; by default 1 where `device` is a GPU

    def check(self) -> None:
        if self.name not in EXECUTORS:
            raise InputError(f"Expected executor={' or '.join(EXECUTORS)} but got {self.name!r}.")
        for key in ("address", "gpus"):
            if self.name == LOCAL and getattr(self, key) is not None:
                raise InputError(f"Expected executor.{key} with executor=ray only; add that, or leave it out.")
        if self.address == "":
            raise InputError("Expected executor.address=host:port or auto but got an empty text; leave it out.")
        if self.gpus is not None and not (0 < self.gpus < 1 or (self.gpus >= 0 and self.gpus == int(self.gpus))):
            raise InputError(f"Expected executor.gpus as a whole number or a share below 1 but got {self.gpus}.")
        if not 1 <= self.threads <= 1024:
            raise InputError(f"Expected executor.threads between 1 and 1024 but got {self.threads}.")
        if self.workers is not None and not 1 <= self.workers <= 4096:
            raise InputError(f"Expected executor.workers between 1 and 4096 but got {self.workers}.")
        if not 0 <= self.retries <= 100:
            raise InputError(f"Expected executor.retries between 0 and 100 but got {self.retries}.")
        if self.deadline is not None and not 0 < self.deadline < float("inf"):
            raise InputError(f"Expected executor.deadline > 0 seconds or null but got {self.deadline}.")

    def processes(self, device: str) -> int:
        if self.workers is not None:
            return self.workers
        return max(1, _cores() // self.threads) if device == "cpu" else 1

    def gpus_each(self, device: str) -> float:
        """Of every worker on a cluster; `device` is what this process would use."""
        return self.gpus if self.gpus is not None else float(device != "cpu")

    def computes_on(self, device: str) -> str:
        """The kind of device that workers use where this process would use `device`: a cluster's may be another."""
        return device if self.name == LOCAL else "cuda" if self.gpus_each(device) > 0 else "cpu"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _Shift:
    """What the workers have to do in one `map`: items are taken from `source` when a worker can have them."""

    source: Iterator[tuple[int, Any]]
    ahead: int | None  # items beyond the first that is not done
    left: deque[tuple[int, Any]] = field(default_factory=deque)  # taken and not handed out
    taken: int = 0
    finished: bool = False  # whether the source is
    tries: Counter[int] = field(default_factory=Counter)
    busy: dict[int, tuple[int, Any, float]] = field(default_factory=dict)  # worker → index, item, since when

    def take(self, count: int) -> None:
        """Have so many items at hand, as far as there are any and the bound allows."""
        while len(self.left) < count and not self.finished:
            first = min([index for index, *_ in (*self.left, *self.busy.values())], default=self.taken)
            if self.ahead is not None and self.taken - first >= self.ahead:
                return
            following = next(self.source, None)
            self.finished = following is None
            if following is not None:
                self.left.append(following)
                self.taken += 1

    @property
    def over(self) -> bool:
        self.take(1)
        return self.finished and not self.left and not self.busy


class Executor(Generic[Item, Result]):
    """Applies `function` to items; with several workers it must be picklable, and is sent to each worker once.

    An exception of one item becomes its `failure`; so does a worker's death, after `retries` further workers died of
    the same item, and the `deadline`. An `InputError` (full disk, missing data) or `ResourceError` (no memory) stops
    everything: it says nothing about the item, and a resumed run tries again.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        workers: int,
        threads: int,
        retries: int = 2,
        deadline: float | None = None,
        crew: Crew | None = None,
    ) -> None:
        """`crew`: where the workers are; by default processes of this machine, or this process for one worker."""
        self.function = function
        self.workers = workers
        self.threads = threads
        self.retries = retries
        self.deadline = deadline
        self.room = workers  # for workers that compute, here or on the cluster
        self._crew = crew
        self._here = crew is None and workers == 1 and deadline is None
        self._idle: list[int] = []
        self._stillborn = 0  # workers in a row that died before they were ready

    def __enter__(self) -> Executor[Item, Result]:
        make_repeatable(self.threads)
        return self

    def __exit__(self, *error: object) -> None:
        if self._crew is not None:
            (self._crew.release if isinstance(error[1], Terminated) else self._crew.close)()

    def opener(self, path: Path) -> Callable[[], Store | RemoteStore]:
        """How a worker opens the store at `path` of this machine; may be pickled into `function`, before any `map`."""
        return partial(Store, path) if self._crew is None else self._crew.opener(path)

    def map(
        self, items: Iterable[Item], tick: Callable[[], None] = lambda: None, ahead: int | None = None
    ) -> Iterator[Done[Result]]:
        """Each item's outcome as it finishes. `tick` is called now and then while waiting.

        Items are taken as workers become free, at most `ahead` of them beyond the first whose outcome is not known.
        """
        if self._here:
            for index, item in enumerate(items):
                yield attempt(self.function, index, item)
            return
        if self._crew is None:
            self._crew = Processes(self.function, self.threads)
        shift = _Shift(enumerate(items), ahead)
        try:
            while not shift.over:
                self._employ(self._crew, shift)
                for news in self._crew.news(self._until(shift)):
                    done = self._heard(self._crew, news, shift)
                    if done is not None:
                        yield done
                for worker, (index, _, since) in list(shift.busy.items()):
                    if self.deadline is not None and time.monotonic() - since > self.deadline:
                        self._crew.dismiss(worker)
                        del shift.busy[worker]
                        reason = f"It took longer than executor.deadline={self.deadline:g} seconds."
                        yield Done(index, None, reason, time.monotonic() - since)
                tick()
        except Terminated:
            self._crew.release()
            raise
        finally:
            for worker in shift.busy:  # the caller has enough, or an error came up
                if worker in self._crew.workers():
                    self._crew.dismiss(worker)

    def _employ(self, crew: Crew, shift: _Shift) -> None:
        """Hand out items, and hire while there are more of them than workers."""
        shift.take(self.workers - len(shift.busy))
        while shift.left and self._idle and self._may_start(crew, shift):
            worker = self._idle.pop()
            index, item = shift.left.popleft()
            shift.busy[worker] = (index, item, time.monotonic())
            crew.give(worker, index, item)
        starting = len(crew.workers()) - len(shift.busy) - len(self._idle)
        for _ in range(min(self.workers - len(crew.workers()), len(shift.left) - starting)):
            crew.hire()

    def _may_start(self, crew: Crew, shift: _Shift) -> bool:
        """The last try of an item is alone, so that no other takes the memory it needs."""
        if crew.apart:
            return True
        last = [index for index, _, _ in shift.busy.values() if shift.tries[index] == self.retries > 0]
        first = shift.left[0][0]
        return not last and not (shift.busy and shift.tries[first] == self.retries > 0)

    def _heard(self, crew: Crew, news: News, shift: _Shift) -> Done[Any] | None:
        """Take note; returns the outcome of an item, where there is one."""
        if news.ready:
            self._stillborn = 0
            self._idle.append(news.worker)
            return None
        if news.worker in self._idle:
            self._idle.remove(news.worker)
            return None
        had = shift.busy.pop(news.worker, None)
        if news.done is not None:
            self._idle.append(news.worker)
            return news.done if had is not None else None
        if had is None:
            self._stillborn += 1
            if self._stillborn > crew.stillborn:
                raise ResourceError(
                    f"{self._stillborn} worker processes in a row were killed as they started (out of memory?); "
                    "continue with `nas resume RUN executor.workers=1`."
                )
            return None
        index, item, since = had
        if news.unbegun:
            shift.left.appendleft((index, item))
            return None
        shift.tries[index] += 1
        if shift.tries[index] <= self.retries:
            shift.left.appendleft((index, item))
            return None
        times = shift.tries[index]
        reason = f"Its worker process was killed {times} time{'s' if times > 1 else ''} (out of memory?)."
        return Done(index, None, reason, time.monotonic() - since)

    def _until(self, shift: _Shift) -> float:
        """Seconds to wait for news: to the next tick or the next deadline."""
        if self.deadline is None or not shift.busy:
            return PATIENCE
        first = min(since for _, _, since in shift.busy.values()) + self.deadline - time.monotonic()
        return min(PATIENCE, max(0.0, first))


def executor_for(
    function: Callable[[Item], Result],
    settings: ExecutorSettings,
    device: str,
    most: int | None = None,
    light: bool = False,
) -> Executor[Item, Result]:
    """The executor that the settings ask for, with at most `most` workers.

    `device` is where this process would do the work. `light` work only waits for other workers of the same cluster:
    it takes nothing of it, and there may be more of them than it has `room` for others.
    """
    if settings.deterministic:
        function = Deterministic(function)
    crew: Crew | None = None
    if settings.name == RAY:
        from nas.core.execution.ray_pool import RayCrew

        gpus = settings.gpus_each(device)
        crew = ray = RayCrew(function, settings.threads, gpus, settings.address, settings.workers, light)
        room = ray.size
    else:
        room = settings.processes(device)
    most = room if most is None else most
    workers = max(1, most if light else min(room, most))
    executor = Executor(function, workers, settings.threads, settings.retries, settings.deadline, crew)
    executor.room = room
    return executor
