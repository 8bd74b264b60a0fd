"""What it costs to store evaluations: how many per second the store takes, and the memory of the leading process."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nas.bench.measuring.spread import METRIC, search_of
from nas.bench.measuring.timing import resident_megabytes
from nas.core.storage.base import Metrics, Store, TaskResult
from nas.core.storage.sqlite import SqliteStore
from nas.search_spaces import SPACES

STORE = "store"  # in place of a strategy: evaluations are only stored


class Mark(NamedTuple):
    """Memory of the process when `kept` evaluations are in the store, and seconds since the first."""

    kept: int
    megabytes: float
    seconds: float


def grown(strategy: str, ask: int, marks: list[int]) -> list[Mark]:
    """Memory and time of a fresh process at each of `marks` evaluations of DARTS cells.

    The process leads a search by `strategy` with `ask` proposals per step, whose evaluations give a random number at
    once; for `STORE` it only puts evaluations one by one into a store. The last mark is made after the search's result.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_grown, strategy, ask, marks).result()


def _grown(strategy: str, ask: int, marks: list[int]) -> list[Mark]:
    with TemporaryDirectory() as folder, SqliteStore(Path(folder, "store.sqlite")) as store:
        advance = _recording(store) if strategy == STORE else _searching(store, strategy, ask, marks[-1])
        start = time.perf_counter()
        reached = []
        for count in marks:
            advance(count)
            reached.append(Mark(count, resident_megabytes(), time.perf_counter() - start))
        return reached


def _recording(store: Store) -> Callable[[int], None]:
    """A function that stores evaluations until there are `count` of them."""
    space, rng = SPACES.get("darts")(), Random(0)
    text = str(space.sample(rng))
    kept = 0

    def advance(count: int) -> None:
        nonlocal kept
        for number in range(kept, count):
            store.record(TaskResult(f"{text} {number}", {METRIC: rng.random()}, None, 1.0))
        kept = count

    return advance


def _searching(store: Store, strategy: str, ask: int, budget: int) -> Callable[[int], None]:
    """A function that leads a search up to a number of evaluations, and to its result at the end of the budget."""
    rng = Random(0)

    def evaluate(keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        for key in keys:
            yield TaskResult(key, {METRIC: rng.random()}, None, 1.0)

    search = search_of(strategy, budget, ask, store, evaluate)

    def advance(count: int) -> None:
        while search.evaluated < count:
            search.step()
        if search.finished:
            search.result("score")

    return advance
