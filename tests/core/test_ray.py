"""The executor on a Ray cluster of several nodes: the same outcomes, and nothing lost with a worker or a machine."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.executor import Executor, ExecutorSettings, executor_for

ray = pytest.importorskip("ray", reason="Ray is not installed")
from ray.cluster_utils import Cluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without cores and two machines of two; all processes of this one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(
        initialize_head=True,
        connect=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"},
    )
    for _ in range(2):
        made.add_node(num_cpus=2, node_ip_address="127.0.0.1")
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


class Work:
    """Squares; notes in `folder` each time it is unpickled and each item begun. Fails, hangs or dies as asked."""

    def __init__(self, folder: Path, dies: int | None = None, slow: float = 0.0) -> None:
        self.folder, self.dies, self.slow = folder, dies, slow

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        (self.folder / f"unpickled-{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, item: int) -> int:
        (self.folder / f"item-{item}-{os.getpid()}-{time.monotonic_ns()}").touch()
        if item == self.dies and len(list(self.folder.glob(f"item-{item}-*"))) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 3:
            raise ValueError("three is bad")
        if item == 13:
            raise InputError("the disk is full")
        time.sleep(1000 if item == 99 else self.slow)
        return item * item


def on(folder: Path, settings: dict[str, Any] | None = None, **work: Any) -> Executor[int, int]:
    return executor_for(Work(folder, **work), ExecutorSettings("ray", **(settings or {})), "cpu")


def outcomes(executor: Executor[int, int], items: list[int]) -> dict[int, tuple[Any, Any]]:
    found: dict[int, tuple[Any, Any]] = {}
    for done in executor.map(items):
        assert done.index not in found
        found[done.index] = (done.result, done.failure)
    return found


def test_the_same_outcomes_and_the_function_once_per_worker(cluster: Any, tmp_path: Path) -> None:
    items = [0, 1, 2, 3, 4, 5, 6, 7]
    with on(tmp_path) as executor:
        assert executor.workers == 4
        found = outcomes(executor, items)
        assert outcomes(executor, items[::-1]) == {7 - index: value for index, value in found.items()}
    assert found == {i: ((None, "ValueError: three is bad") if i == 3 else (i * i, None)) for i in items}
    assert len(list(tmp_path.glob("unpickled-*"))) <= 4
    assert len(list(tmp_path.glob("item-*"))) == 16


def test_a_killed_worker_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    with on(tmp_path, dies=2) as executor:
        assert outcomes(executor, [0, 1, 2, 4]) == {0: (0, None), 1: (1, None), 2: (4, None), 3: (16, None)}
    assert len(list(tmp_path.glob("item-2-*"))) == 2


def test_a_killed_machine_loses_nothing_and_repeats_nothing_that_was_done(cluster: Any, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2, node_ip_address="127.0.0.1")
    cluster.wait_for_nodes()
    items = list(range(20, 40))
    found: dict[int, Any] = {}
    with on(tmp_path, {"workers": 6}, slow=0.4) as executor:
        for done in executor.map(items):
            found[done.index] = done.result
            if len(found) == 4:
                finished = {items[index] for index in found}
                cluster.remove_node(node, allow_graceful=False)
    assert found == {index: item * item for index, item in enumerate(items)}
    for item in finished:
        assert len(list(tmp_path.glob(f"item-{item}-*"))) == 1


def test_what_the_user_can_mend_stops_everything(cluster: Any, tmp_path: Path) -> None:
    with on(tmp_path) as executor, pytest.raises(InputError, match="the disk is full"):
        outcomes(executor, [0, 13, 1])


def test_what_hangs_is_ended_at_the_deadline(cluster: Any, tmp_path: Path) -> None:
    with on(tmp_path, {"deadline": 2.0}) as executor:
        found = outcomes(executor, [0, 99, 1])
    assert found[0] == (0, None)
    assert found[2] == (1, None)
    assert found[1] == (None, "It took longer than executor.deadline=2 seconds.")


def test_a_cluster_without_room_is_told(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="room for a worker of 1 cores and 1 GPUs"):
        on(tmp_path, {"gpus": 1})
    with pytest.raises(InputError, match="executor=ray only"):
        ExecutorSettings(address="auto").check()
