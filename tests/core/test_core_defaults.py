"""Defaults of functions and of records, written down a second time."""

from __future__ import annotations

import inspect
import math
import os
from typing import Any

import pytest
from typed_again import found

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings

UNIT = (0.0, 1.0)  # images lie in [0, 1]
FUNCTIONS: dict[str, dict[str, Any]] = {
    # Szegedy et al., CVPR 2015
    "optimisation.image_augmentations:resized_crop": {"area": (0.08, 1.0), "ratio": (0.75, 4 / 3)},
    "eigenvalues:largest_eigenvalue": {"steps": 20},
    "data.loading:load": {"keep": True},
    "optimisation.attack_steps:project": {"bounds": UNIT},
    "optimisation.attack_steps:project_l2": {"bounds": UNIT},
    "optimisation.attack_steps:uniform_noise": {"generator": None, "bounds": UNIT, "shard": None},
    "optimisation.attack_steps:normal_noise": {"generator": None, "shard": None},
    "optimisation.attack_steps:ball_noise": {"bounds": UNIT},
    "optimisation.attack_steps:fgsm": {"bounds": UNIT},
    "optimisation.attack_steps:signed_step": {"bounds": UNIT},
    "optimisation.attack_steps:pgd": {"start": None, "bounds": UNIT},
    "optimisation.attack_steps:pgd_l2": {"start": None, "bounds": UNIT},
    "optimisation.attack_steps:mifgsm": {"decay": 1.0, "bounds": UNIT},  # Dong et al., CVPR 2018: μ = 1
    "statistics.ranks:bootstrap_spearman": {"resamples": 1000, "seed": 0, "groups": None},
    "statistics.ranks:spearman_difference": {"resamples": 1000, "seed": 0},
    "execution.executor:Executor.__init__": {"retries": 2},
    "execution.executor:executor_for": {"zero_resources": False},
}
RECORDS: dict[str, dict[str, Any]] = {
    "execution.worker_pool:WorkerEvent": {"ready": False, "result": None, "not_started": False},
    "data.formats.base:Source": {"changed": 0, "sha256": ""},
    "data.resize:Resizing": {"size": None, "how": "squash", "crop_share": 1.0, "interpolation": "bilinear"},
    "data.seen:Seen": {"images": 0, "oblong": 0, "turned": 0, "transparent": 0, "levels": ()},
    "execution.executor:ExecutorSettings": {
        "name": "local", "workers": None, "threads": 1, "retries": 2, "deadline": None, "address": None,
        "deterministic": False, "gpus": None,
    },
    "optimisation.task:Plan": {
        "ema": None, "scaled": False, "loss_limit": 1000.0, "check_steps": 50, "save_steps": None, "save_minutes": 10.0,
    },
    "optimisation.task:LoopState": {"epoch": 0, "batch": 0, "best": -math.inf, "best_epoch": -1, "seconds": 0.0},
    "optimisation.distributed:Processes": {"rank": 0, "count": 1},
}  # fmt: skip


def defaults(of: Any) -> dict[str, Any]:
    parameters = inspect.signature(of).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("name", [*FUNCTIONS, *RECORDS])
def test_defaults(name: str) -> None:
    expected = {**FUNCTIONS, **RECORDS}[name]
    own = defaults(found(f"core.{name}"))
    assert {key: own[key] for key in expected} == expected
    for key, value in expected.items():
        assert type(own[key]) is type(value)


# distribution of work


RAY = {"name": "ray"}


@pytest.mark.parametrize(
    ("key", "more", "allowed", "refused"),
    [
        ("threads", {}, [1, 1024], [0, 1025]),
        ("workers", {}, [None, 1, 4096], [0, 4097]),
        ("retries", {}, [0, 100], [-1, 101]),
        ("deadline", {}, [None, 1e-3, 1e9], [0.0, -1.0, float("inf")]),
        ("gpus", RAY, [None, 0.0, 0.25, 1.0, 3.0], [-0.5, -1.0, 1.5]),
        ("gpus", {}, [None], [0.0, 1.0]),
        ("address", RAY, [None, "auto", "host:6379"], [""]),
        ("address", {}, [None], ["auto"]),
    ],
)
def test_limits_of_the_executor(key: str, more: dict[str, Any], allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        ExecutorSettings(**{**more, key: value}).check()
    for value in refused:
        with pytest.raises(InputError, match=rf"executor\.{key}\b"):
            ExecutorSettings(**{**more, key: value}).check()


def test_names_of_executors() -> None:
    for name in ("local", "ray"):
        ExecutorSettings(name).check()
    with pytest.raises(InputError, match="executor=local or ray"):
        ExecutorSettings("slurm").check()


@pytest.mark.parametrize(
    ("settings", "device", "gpus", "computes_on"),
    [
        ({}, "cpu", 0.0, "cpu"),
        ({}, "cuda", 1.0, "cuda"),
        (RAY, "cpu", 0.0, "cpu"),
        (RAY, "cuda", 1.0, "cuda"),
        ({**RAY, "gpus": 0.5}, "cpu", 0.5, "cuda"),
        ({**RAY, "gpus": 0.0}, "cuda", 0.0, "cpu"),
    ],
)
def test_what_workers_compute_on(settings: dict[str, Any], device: str, gpus: float, computes_on: str) -> None:
    chosen = ExecutorSettings(**settings)
    assert chosen.gpus_each(device) == gpus
    assert chosen.computes_on(device) == computes_on


@pytest.mark.parametrize(("threads", "processes"), [(1, 12), (2, 6), (5, 2), (12, 1), (13, 1)])
def test_a_worker_per_so_many_cores(threads: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(12)), raising=False)
    assert ExecutorSettings(threads=threads).processes("cpu") == processes
    assert ExecutorSettings(threads=threads).processes("cuda") == 1
    assert ExecutorSettings(threads=threads, workers=7).processes("cpu") == 7
    assert ExecutorSettings(threads=threads, workers=7).processes("cuda") == 7
