"""The scale benchmark: its arithmetic on known schedules, all of it at the least size; its limits as a slow test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from clock import Clock

from nas.bench import BENCHES, scale
from nas.bench.measuring import spread
from nas.bench.measuring.growth import STORE, Mark
from nas.core.execution.executor import Executor
from nas.core.storage.base import TaskResult

pytestmark = pytest.mark.landing


class Paced:
    """In the place of an executor: `workers` that begin their items when the first of them is free, `late` each."""

    def __init__(self, clock: Clock, workers: int, late: float = 0.0) -> None:
        self.clock, self.workers, self.late = clock, workers, late

    def map(self, tasks: Iterable[tuple[Any, float]], ahead: int | None = None) -> Iterator[TaskResult[Any, float]]:
        free = [self.clock()] * self.workers
        for key, item in tasks:
            start = min(free) + self.late
            free[free.index(min(free))] = start + item
            yield TaskResult(key, start, None, item)
        self.clock.go_on(max(free) - self.clock())


def test_the_steady_share_is_that_between_the_last_first_and_the_last_begin() -> None:
    assert spread._steady([(0, 2), (1, 3), (3, 5), (4, 6)], 2) == pytest.approx((1 + 2 + 1) / (2 * 3))
    assert spread._steady([(0, 1), (0, 1), (1, 2), (1, 2)], 2) == pytest.approx(1)


def test_what_each_evaluation_loses_is_told(clock: Clock) -> None:
    found = spread.used(Paced(clock, 2, late=0.01), [0.03], 10)  # type: ignore[arg-type]
    assert found.steady == pytest.approx(0.03 / 0.04)
    assert found.whole == pytest.approx(0.03 / 0.04)


def test_a_step_of_a_search_waits_for_its_longest_evaluation(clock: Clock) -> None:
    one = spread.used_by_search(Paced(clock, 2), [0.2, 1.0], 4, ask=2)  # type: ignore[arg-type]
    assert one == pytest.approx((0.2 + 1.0) / (2 * 1.0))
    four = spread.used_by_search(Paced(clock, 2), [0.2, 1.0], 4, ask=4)  # type: ignore[arg-type]
    assert four == pytest.approx(2 * (0.2 + 1.0) / (2 * (0.2 + 0.2 + 1.0)))  # one worker does three, the other one


def test_overhead_counts_the_time_of_every_worker(clock: Clock) -> None:
    class Slow:
        workers = 4

        def map(self, tasks: Iterable[tuple[Any, float]]) -> Iterator[TaskResult[Any, float]]:
            for key, _ in tasks:
                clock.go_on(0.002)
                yield TaskResult(key, 0.0, None, 0.0)

    found = spread.overhead(Slow(), 10, 3)  # type: ignore[arg-type]
    assert found.handed == pytest.approx(2)
    assert found.lost == pytest.approx(4 * 2)
    assert found.busy == pytest.approx(2 / 4)


def test_fewer_workers_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "available_megabytes", lambda: 1000.0)
    assert scale.affordable(64, 100) == 8
    assert scale.affordable(4, 100) == 4
    assert scale.affordable(64, 10_000) == 2


def test_what_is_beyond_its_limit_is_named() -> None:
    assert scale.missed({"overhead_ray_ms": 11, "store_per_second": 900, "efficiency_map_local": 0.96}) == [
        *("overhead_ray_ms", "store_per_second"),
    ]
    assert scale.rate(Mark(10, 0, 1), Mark(30, 0, 3)) == 10


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> scale.ScaleBench:
    """Two local workers and a search of a few cells; no Ray, whose start alone takes longer."""
    monkeypatch.setattr(scale.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(scale, "evaluation_seconds", lambda cells: [0.01] * cells)
    monkeypatch.setattr(scale, "grown", in_this_process)
    bench = BENCHES.get("scale")()
    assert isinstance(bench, scale.ScaleBench)
    bench.items, bench.rounds, bench.workers, bench.each = 20, 1, 2, 4
    bench.recorded, bench.searched = (20, 60), (4, 8)
    return bench


def in_this_process(strategy: str, ask: int, marks: list[int]) -> list[Mark]:
    from nas.bench.measuring.growth import _grown

    return _grown(strategy, ask, marks)


def test_it_measures_everything_once(few: scale.ScaleBench) -> None:
    lines: list[str] = []
    result = few.run(lines.append)
    figures = result["figures"]
    assert set(result["limits"]) == {name for name in {**scale.AT_MOST, **scale.AT_LEAST} if "ray" not in name}
    assert set(result["limits"]) <= set(figures)
    assert all(value > 0 for name, value in figures.items() if not name.startswith("growth"))
    assert figures["workers_local"] == 2
    assert any("ray is not installed" in line for line in lines)


def test_the_memory_that_a_search_keeps_per_evaluation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    whole: Callable[..., Any] = spread.search_of

    def leaking(*arguments: Any) -> Any:
        search = whole(*arguments)
        step = search.step
        search.step = lambda: (kept.append(b"1" * 33 * 2**20), step())  # not from the heap
        return search

    monkeypatch.setattr("nas.bench.measuring.growth.search_of", leaking)
    first, last = in_this_process("random", 2, [2, 10])
    assert last.kept == 10
    assert last.megabytes - first.megabytes > 60
    kept.clear()


def test_an_evaluation_is_as_long_as_its_item_says() -> None:
    with Executor(spread.nap, workers=1, threads=1) as executor:
        done = next(iter(executor.map([("nap", 0.03)])))
    assert done.failure is None
    assert done.seconds >= 0.03


@pytest.mark.slow
def test_scale_costs_no_more_than_it_should() -> None:
    result = BENCHES.get("scale")().run(print)
    assert {"overhead_local_ms", "store_per_second", f"growth_{STORE}_mb"} <= set(result["limits"])
    assert result["missed"] == []
    assert scale.ScaleBench().missed(result) == []
