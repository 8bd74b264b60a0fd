"""Many architectures: each once and in order, in constant memory, failures with their reasons."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from score_stub import CELL, OTHER, Numbers, Stub, candidates, row_file, texts_of

from nas.core.errors import ResourceError
from nas.core.storage.base import TaskResult
from nas.results import ScoreRow
from nas.scoring import loop as module
from nas.scoring.loop import Scored, ScoreWorker, score
from nas.scoring.rows import line_of
from nas.search_spaces import DARTS
from nas.settings.schema import from_values


class Backwards:
    """An executor of several workers whose items end in reverse."""

    def __init__(self, function: Callable[[Any], Any], settings: Any, device: str, most: int | None) -> None:
        self.function = function
        self.workers = settings.workers
        self.largest = 0

    def __enter__(self) -> Backwards:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(self, tasks: Iterator[Any], tick: Callable[[], None], ahead: int) -> Iterator[TaskResult[int, Any]]:
        while window := list(islice(tasks, ahead)):
            for key, item in reversed(window):
                tick()
                yield TaskResult(key, self.function(item), None, 0.1)


def test_rows_come_in_order_whatever_ends_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "executor_for", Backwards)
    work, rows, told = Stub(workers=2), [], []
    score(candidates(sample=100), work, None, rows.append, lambda *numbers: told.append(numbers))
    assert [row.arch for row in rows] == texts_of(sample=100)
    assert work.asked[0] != rows[0].arch, "it was the last of its window to be asked"
    assert told[0] == (0, 0)
    assert told[-1] == (100, 0)
    assert told == sorted(told)


@pytest.mark.parametrize(("workers", "ahead"), [(1, 1), (2, 2 * module.WINDOW)])
def test_at_most_a_window_is_taken_ahead(workers: int, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if workers > 1:
        monkeypatch.setattr(module, "executor_for", Backwards)
    space, rows = Numbers(), 0

    def show(row: ScoreRow) -> None:
        nonlocal rows
        rows += 1
        assert row.arch == f"number {rows - 1}"
        assert space.taken <= rows + ahead
        if rows == 500:
            raise StopAsyncIteration  # nothing in between catches it

    with pytest.raises(StopAsyncIteration):
        score(candidates(space=space, everything=True), Stub(workers), None, show)


@pytest.mark.landing
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    limit, used = 6000, {}

    def watch(done: int, failed: int) -> None:
        if done in (limit // 4, limit):
            used[done] = tracemalloc.get_traced_memory()[0]
        if done == limit:
            raise KeyboardInterrupt

    work = Stub()
    work.asked = type("Forgetful", (list,), {"append": lambda self, item: None})()
    tracemalloc.start()
    try:
        with pytest.raises(KeyboardInterrupt), row_file(tmp_path / "rows.csv") as file:
            score(candidates(space=Numbers(), everything=True), work, file, None, watch)
    finally:
        tracemalloc.stop()
    assert used[limit] - used[limit // 4] < 20_000


def test_a_space_too_large_to_finish_starts_at_once() -> None:
    space = DARTS()
    given = candidates(space=space, everything=True)
    assert given.total == len(space)
    assert [candidate.arch for candidate in islice(given.new(set()), 5)] == list(islice(space, 5))
    classes = candidates(space=space, everything=True, unique=True)
    assert classes.total is None
    assert len({candidate.text for candidate in islice(classes.new(set()), 50)}) == 50


def test_failures_are_rows_with_their_reasons(tmp_path: Path) -> None:
    rows: list[ScoreRow] = []
    archs = (CELL, OTHER, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    with row_file(tmp_path / "rows.csv") as file:
        counts = score(candidates(*archs), Stub(fail="none~0|none~1|none~2", broken="avg_pool"), file, rows.append)
    assert (counts.scored, counts.failed) == (3, 2)
    assert str(counts) == "3 architectures scored, 2 of them with failures"
    assert rows[0].reason is None
    assert rows[1].scores == {}
    assert rows[1].reason == "ValueError: a broken build"
    assert set(rows[2].scores) == {"params"}
    assert rows[2].reason == "croze: no path, at all"
    with (tmp_path / "rows.csv").open(newline="") as table:
        cells = list(csv.DictReader(table))
    assert [row["reason"] for row in cells] == ["", rows[1].reason, rows[2].reason]
    assert [row["croze"] == "" for row in cells] == [False, True, True]
    assert [float(row["params"] or "nan") for row in cells][::2] == [float(len(arch)) for arch in archs][::2]
    assert "failed: croze: no path" in line_of(rows[2])


def test_what_says_nothing_about_an_architecture_stops_everything() -> None:
    class Hungry(Stub):
        def __call__(self, arch: str) -> Scored:
            raise MemoryError("no memory")

    with pytest.raises(ResourceError, match="ran out of a resource"):
        score(candidates(CELL), Hungry())


def test_workers_that_are_worth_their_start() -> None:
    def most(left: int | None, *overrides: str, names: tuple[str, ...] = ("croze",)) -> int | None:
        return ScoreWorker(from_values({"device": "cpu"}, list(overrides)), list(names)).max_workers(left)

    assert most(1) == 1
    assert most(10 * module.WORTHWHILE) == 10
    assert most(None) is None
    assert most(None, "executor.workers=3") is None
    assert most(2, "executor.workers=3") == 2
    assert most(10_000, names=("params", "flops")) == 1
