"""How many workers a cluster has room for; tests/runs/test_ray.py tests the workers on a real cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.execution.ray_pool import RayPool


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
