"""How many workers a cluster has room for; tests/runs/test_ray.py tests the workers on a real cluster."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.execution import ray_pool
from nas.core.execution.ray_pool import RayPool
from nas.core.registry import Reference


def places(there: dict[str, float], threads: int, gpus: float) -> int:
    pool: Any = SimpleNamespace(_ray=SimpleNamespace(cluster_resources=lambda: there))
    return RayPool._current_capacity(pool, threads, gpus)


def test_workers_have_their_cores_and_their_share_of_the_gpus() -> None:
    assert places({"CPU": 9.0}, 2, 0.0) == 4
    assert places({"CPU": 9.0, "GPU": 1.0}, 2, 0.5) == 2
    assert places({"CPU": 2.0, "GPU": 8.0}, 2, 1.0) == 1


@pytest.mark.parametrize("there", [{}, {"CPU": 1.0}, {"CPU": 8.0, "GPU": 0.9}])
def test_a_cluster_without_room_for_one_is_told(there: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"room for a worker of 2 cores and 1 GPUs"):
        places(there, 2, 1.0)


def test_an_actor_adds_components_before_it_reads_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_pool, "add_referenced", done.append)
    monkeypatch.setattr(ray_pool, "make_repeatable", lambda threads: None)
    monkeypatch.setattr(ray_pool, "pickle", SimpleNamespace(loads=lambda text: done.append(pickle.loads(text))))
    additions = [Reference("module", "Part")]
    ray_pool._Actor((additions, pickle.dumps("work")), 1, str(tmp_path))
    assert done == [additions, "work"]
