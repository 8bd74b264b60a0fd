"""What distributing evaluations to workers costs: time lost per evaluation, and the share of workers' time in use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from nas.bench.measuring.timing import resident_megabytes
from nas.core.errors import NasError
from nas.core.execution.executor import Executor
from nas.core.storage.base import Metrics, Store, TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.search_spaces import SPACES
from nas.searches.loop import Evaluate, Search, Unconstrained
from nas.strategies import STRATEGIES, Goal

POLL = 0.5  # seconds between two counts of the workers that have started
METRIC = "value"


@dataclass(frozen=True)
class Gathering:
    """An item that ends when `count` workers have begun such an item: then all have started and become idle."""

    folder: str
    count: int

    def wait(self) -> float:
        """Wait for the other workers; return the megabytes that this worker alone uses."""
        Path(self.folder, str(os.getpid())).touch()
        while len(os.listdir(self.folder)) < self.count:
            time.sleep(POLL)
        return resident_megabytes()


def nap(item: float | Gathering) -> float:
    """Instead of an evaluation: sleeps for `item` seconds and returns when it began, by the clock of the machine."""
    if isinstance(item, Gathering):
        return item.wait()
    start = time.monotonic()
    if item > 0:
        time.sleep(item)
    return start


def warmed(executor: Executor[Any, float]) -> float:
    """Starts all workers. Returns the median memory that a worker alone uses, in megabytes."""
    with TemporaryDirectory() as folder:
        items = [Gathering(folder, executor.workers)] * executor.workers
        return median(_began(done) for done in executor.map(enumerate(items)))


def _began(done: TaskResult[Any, float]) -> float:
    if done.result is None:
        raise NasError(f"A measurement failed: {done.failure}")
    return done.result


class Overhead(NamedTuple):
    """Milliseconds per evaluation that does nothing, while all workers do as many as they can.

    `lost`: time of one worker. `handed`: time between two evaluations of any workers. `busy`: processor time of the
    process that hands evaluations out; `handed` cannot be shorter, however many workers there are.
    """

    lost: float
    handed: float
    busy: float


def overhead(executor: Executor[Any, float], items: int, rounds: int) -> Overhead:
    """Medians over rounds: handed = T/n and lost = w·T/n, where w workers do n evaluations in T seconds."""
    times, processor = [], []
    for _ in range(rounds):
        start, used_before = time.perf_counter(), time.process_time()
        for done in executor.map(enumerate([0.0] * items)):
            _began(done)
        times.append(1000 * (time.perf_counter() - start) / items)
        processor.append(1000 * (time.process_time() - used_before) / items)
    handed = median(times)
    return Overhead(executor.workers * handed, handed, median(processor))


class Used(NamedTuple):
    """The share of the workers' time in which they evaluated: while all of them had work, and over the whole run."""

    steady: float
    whole: float


def used(executor: Executor[Any, float], durations: list[float], count: int, ahead: int | None = None) -> Used:
    """The shares over `count` evaluations that take `durations` in turn; `ahead` is that of `Executor.map`."""
    items = list(islice(cycle(durations), count))
    start = time.monotonic()
    spans = []
    for done in executor.map(enumerate(items), ahead=ahead):
        began = _began(done)
        spans.append((began, began + items[done.key]))
    wall = time.monotonic() - start
    return Used(_steady(spans, executor.workers), sum(items) / (executor.workers * wall))


def _steady(spans: list[tuple[float, float]], workers: int) -> float:
    """The share from the time when every worker has begun to the time when the last evaluation begins."""
    begun = sorted(start for start, _ in spans)
    first, last = begun[workers - 1], begun[-1]
    busy = sum(max(0.0, min(end, last) - max(start, first)) for start, end in spans)
    return busy / (workers * (last - first))


def used_by_search(executor: Executor[Any, float], durations: list[float], count: int, ask: int) -> float:
    """The share of the workers' time that a random search of DARTS cells uses, with `ask` proposals per step.

    The rest is what a search costs besides its evaluations: proposals, the store, and the wait for the last evaluation
    of each step.
    """
    lengths = cycle(durations)
    asleep = 0.0

    def evaluate(keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        nonlocal asleep
        items = list(islice(lengths, len(keys)))
        asleep += sum(items)
        for done in executor.map(zip(keys, items)):
            yield TaskResult(done.key, {METRIC: _began(done)}, None, done.seconds)

    with TemporaryDirectory() as folder, SqliteStore(Path(folder, "store.sqlite")) as store:
        search = search_of("random", count, ask, store, evaluate)
        start = time.monotonic()
        while not search.finished:
            search.step()
        return asleep / (executor.workers * (time.monotonic() - start))


def search_of(strategy: str, budget: int, ask: int, store: Store, evaluate: Evaluate) -> Search:
    """A search of DARTS cells for one goal, by a strategy of this name, in which every cell may be evaluated."""
    space = SPACES.get("darts")()
    proposing = STRATEGIES.get(strategy)(space, (Goal(METRIC),), seed=0)
    return Search(Unconstrained(space, proposing, evaluate), budget, ask, store)
