"""The executor: same results with any number of workers, reports of failures, tasks that outlive a killed worker."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.execution.executor import Executor, ExecutorSettings
from nas.core.execution.local_pool import to_preload
from nas.core.execution.worker_pool import WorkerEvent, WorkerPool
from nas.core.storage.base import TaskResult

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _same_threads_after() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class Work:
    """Squares an item; fails on 3 and 4; records in `folder` each time it is unpickled and each item it has done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        with (self.folder / "unpickled").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, item: int) -> tuple[int, int]:
        with (self.folder / "pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
        if item == 3:
            raise ValueError("three\nis bad")
        if item == 4:
            raise NasError("four diverged")
        return item * item, torch.get_num_threads()


def outcomes(executor: Executor[Any, Any], items: list[Any]) -> dict[int, tuple[Any, Any]]:
    result: dict[int, tuple[Any, Any]] = {}
    for done in executor.map(enumerate(items)):
        assert done.key not in result
        assert done.seconds >= 0
        result[done.key] = (done.result, done.failure)
    return result


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


EXPECTED = {
    0: ((0, 3), None),
    1: ((1, 3), None),
    2: (None, "ValueError: three\nis bad"),
    3: (None, "four diverged"),
    4: ((25, 3), None),
    5: ((0, 3), None),
}
ITEMS = [0, 1, 3, 4, 5, 0]


def test_one_worker_works_in_this_process(tmp_path: Path) -> None:
    with Executor(Work(tmp_path), workers=1, threads=3) as executor:
        assert outcomes(executor, ITEMS) == EXPECTED
        assert outcomes(executor, []) == {}
    assert set(lines(tmp_path / "pids")) == {str(os.getpid())}
    assert lines(tmp_path / "unpickled") == []


def test_two_workers_give_the_same_and_get_the_function_once(tmp_path: Path) -> None:
    ticks = []
    with Executor(Work(tmp_path), workers=2, threads=3) as executor:
        assert outcomes(executor, ITEMS) == EXPECTED
        assert outcomes(executor, ITEMS[::-1])[0] == EXPECTED[5]  # the same pool is used again
        for _ in executor.map(enumerate([1, 2]), tick=lambda: ticks.append(1)):
            pass
    workers = set(lines(tmp_path / "pids"))
    assert str(os.getpid()) not in workers
    assert len(workers) <= 2
    unpickled = lines(tmp_path / "unpickled")
    assert len(unpickled) == len(set(unpickled)) <= 2
    assert ticks
    deadline = time.monotonic() + 3
    while any(alive(int(pid)) for pid in unpickled) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(int(pid)) for pid in unpickled)  # leaving the block ends the workers


def alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def out_of_disk(item: int) -> int:
    if item == 1:
        raise InputError("the disk is full")
    return item


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_user_can_mend_stops_everything(workers: int) -> None:
    with (
        Executor(out_of_disk, workers, threads=1) as executor,
        pytest.raises(InputError, match=r"^the disk is full$"),
    ):
        list(executor.map(enumerate([0, 1, 2])))


class KilledOnce:
    """Kills its worker the first time that it gets item 2."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times

    def __call__(self, item: int) -> int:
        if item == 2:
            deaths = len(list(self.folder.iterdir()))
            if deaths < self.times:
                (self.folder / str(deaths)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return 10 * item


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    with Executor(KilledOnce(tmp_path, times=1), workers=2, threads=1) as executor:
        assert outcomes(executor, list(range(6))) == {i: (10 * i, None) for i in range(6)}
        assert len(list(tmp_path.iterdir())) == 1
        assert outcomes(executor, [7]) == {0: (70, None)}  # the new pool works


def test_an_item_that_kills_every_worker_fails_alone(tmp_path: Path) -> None:
    with Executor(KilledOnce(tmp_path, times=99), workers=2, threads=1, retries=1) as executor:
        found = outcomes(executor, [0, 2, 1])
    assert found[0] == (0, None)
    assert found[2] == (10, None)
    assert found[1][0] is None
    assert "killed 2 times" in found[1][1]
    assert len(list(tmp_path.iterdir())) == 2


class Crowded:
    """Item 2 kills its worker if another item is in work, as if memory were not enough for both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: int) -> int:
        mark = self.folder / str(item)
        mark.touch()
        time.sleep(0.3)
        if item == 2 and len(list(self.folder.iterdir())) > 1:
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.3)
        mark.unlink()
        return item


@pytest.mark.landing
def test_the_last_try_is_alone(tmp_path: Path) -> None:
    with Executor(Crowded(tmp_path), workers=2, threads=1, retries=1) as executor:
        assert outcomes(executor, [0, 2, 1, 3, 4]) == {i: (item, None) for i, item in enumerate([0, 2, 1, 3, 4])}


def _unpicklable(item: int) -> Any:
    return (lambda: item) if item else item


def test_a_result_that_cannot_be_sent_is_a_failure() -> None:
    with Executor(_unpicklable, 2, 1) as executor:
        found = outcomes(executor, [0, 1, 0])
    assert found[0] == found[2] == (0, None)
    assert found[1][0] is None
    assert "pickle" in found[1][1]


class NeverStarts:
    def __setstate__(self, state: dict[str, Any]) -> None:
        raise OSError("no such file")

    def __getstate__(self) -> dict[str, Any]:
        return {"a": 1}

    def __call__(self, item: int) -> int:
        return item


def environment(name: str) -> str | None:
    return os.environ.get(name)


def test_a_worker_has_the_environment_of_the_moment_it_is_hired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_TEST_WORKER", "first")
    with Executor(environment, 2, 1) as executor:
        assert [done.result for done in executor.map([("it", "NAS_TEST_WORKER")])] == ["first"]
    monkeypatch.delenv("NAS_TEST_WORKER")
    with Executor(environment, 2, 1) as executor:
        assert [done.result for done in executor.map([("it", "NAS_TEST_WORKER")])] == [None]


def test_workers_that_cannot_start_are_told() -> None:
    with Executor(NeverStarts(), 2, 1) as executor, pytest.raises(NasError, match=r"could not start.*no such file"):
        list(executor.map(enumerate([0, 1])))


def _hangs(item: int) -> int:
    if item == 1:
        time.sleep(1000)
    return item


@pytest.mark.landing
@pytest.mark.parametrize("workers", [1, 2])
def test_what_hangs_is_ended_at_the_deadline(workers: int) -> None:
    with Executor(_hangs, workers, 1, time_limit=1.0) as executor:
        found = outcomes(executor, [0, 1, 2])
        assert outcomes(executor, [3]) == {0: (3, None)}
    assert found[0] == (0, None)
    assert found[2] == (2, None)
    assert found[1] == (None, "It took longer than executor.deadline=1 seconds.")


def test_an_abandoned_map_leaves_nothing_behind() -> None:
    with Executor(_hangs, 2, 1) as executor:
        for done in executor.map(enumerate([0, 1, 2])):
            assert done.result == 0
            break
        assert outcomes(executor, [5, 6]) == {0: (5, None), 1: (6, None)}


def test_what_is_imported_once_for_all_workers() -> None:
    assert to_preload(["os", "torch", "nas", "nas.core.execution.local_pool", "nasal"]) == [
        "nas",
        "nas.core.execution.local_pool",
    ]
    slow = ["torch._dynamo", "torch._inductor.config"]
    assert to_preload(["nas", *slow, "scipy"]) == ["nas", *slow]


SLEEPING = """
import os, time
from pathlib import Path

def sleep(item):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(60)
"""
PARENT = """
from nas.core.execution.executor import Executor
from sleeping import sleep

with Executor(sleep, workers=2, threads=1) as executor:
    list(executor.map(enumerate([0, 1])))
"""


@pytest.mark.slow
def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    script, pids = tmp_path / "parent.py", tmp_path / "pids"
    script.write_text(PARENT)
    (tmp_path / "sleeping.py").write_text(SLEEPING)
    pids.mkdir()
    parent = subprocess.Popen(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT), "PIDS": str(pids)}
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        workers = [int(path.name) for path in pids.iterdir()]
        assert len(workers) == 2
        assert all(map(alive, workers))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    deadline = time.monotonic() + 3
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))


@pytest.mark.parametrize(
    "settings", [{"workers": 0}, {"workers": -1}, {"threads": 0}, {"workers": 5000}, {"threads": 2000}, {"retries": -1}]
)
def test_impossible_settings_are_told(settings: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"executor.{next(iter(settings))} between"):
        ExecutorSettings(**settings).check()
    ExecutorSettings(workers=1, threads=1).check()


def _exhausted(item: int) -> int:
    if item == 1:
        raise MemoryError("no room")
    return item


@pytest.mark.parametrize("workers", [1, 2])
def test_running_out_of_memory_stops_everything_and_is_no_result(workers: int) -> None:
    with Executor(_exhausted, workers, 1) as executor, pytest.raises(ResourceError, match="no room"):
        list(executor.map(enumerate([0, 1, 2])))


def _full(item: int) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_in_an_item_is_the_users_to_mend() -> None:
    with Executor(_full, 1, 1) as executor, pytest.raises(InputError, match="disk is full"):
        list(executor.map(enumerate([0])))


class Slow:
    """Item 0 waits for the file `go`; each item records that it began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: int) -> int:
        (self.folder / str(item)).touch()
        while item == 0 and not (self.folder / "go").exists():
            time.sleep(0.01)
        return item


def test_items_are_taken_when_there_is_a_worker_and_so_far_ahead_as_allowed(tmp_path: Path) -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with Executor(Slow(tmp_path), workers=2, threads=1) as executor:
        outcomes = executor.map(enumerate(items()), ahead=5)
        assert {next(outcomes).result for _ in range(4)} == {1, 2, 3, 4}
        assert taken == [0, 1, 2, 3, 4]
        (tmp_path / "go").touch()
        assert sorted(done.result for done in outcomes if done.result is not None) == [0, *range(5, 20)]
    assert taken == list(range(20))


class Scripted(WorkerPool):
    """A pool without processes: each poll returns the next list of the given events."""

    def __init__(self, events: list[list[WorkerEvent]]) -> None:
        self.events, self.alive, self.had = events, list[int](), list[tuple[int, Any]]()

    def start(self) -> int:
        self.alive.append(len(self.alive) + 1)
        return self.alive[-1]

    def submit(self, worker: int, key: Any, item: Any) -> None:
        self.had.append((worker, key))

    def poll(self, timeout: float) -> list[WorkerEvent]:
        now = self.events.pop(0)
        gone = [event.worker for event in now if not event.ready and event.result is None]
        self.alive = [0 if worker in gone else worker for worker in self.alive]
        return now

    def stop(self, worker: int) -> None:
        self.alive[self.alive.index(worker)] = 0

    def workers(self) -> list[int]:
        return [worker for worker in self.alive if worker]


def test_a_worker_is_started_for_each_task_that_has_none() -> None:
    """Also while another worker is busy: the task of a worker that died does not wait for that one."""
    ready, died = partial(WorkerEvent, ready=True), WorkerEvent
    done = {key: TaskResult(key, key, None, 0.0) for key in "ab"}
    pool = Scripted([[ready(1), ready(2)], [died(1)], [ready(3)], [WorkerEvent(3, result=done["a"])]])
    pool.events.append([WorkerEvent(2, result=done["b"])])
    seen = []
    for result in Executor(str, 2, 1, pool=pool).map(zip("ab", "ab"), lambda: seen.append(len(pool.alive))):
        assert result.key in "ab"
    assert seen == [2, 2, 3, 3, 3]  # two for two tasks, and one that replaces the dead one
    assert [worker for worker, _ in pool.had] == [2, 1, 3]
    pool = Scripted([[ready(1)], [WorkerEvent(1, result=done["a"])]])
    assert [result.key for result in Executor(str, 4, 1, pool=pool).map([("a", "a")])] == ["a"]
    assert pool.alive == [1]  # no more workers than tasks
