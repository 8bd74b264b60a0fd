"""A call computes as a new process would, and leaves this one as it was."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from nas.api.process import NEW_PROCESS_SEED, callers_code, unchanged_process
from nas.core.execution.worker_pool import make_repeatable


def _state() -> list[Any]:
    return [
        (torch.get_num_threads(), torch.get_default_dtype(), torch.get_float32_matmul_precision()),
        (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark, torch.is_grad_enabled()),
        (torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), str(torch.get_default_device())),
        (torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()),  # type: ignore[union-attr]
        (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
    ]


@contextmanager
def _another_type() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")


CALLERS = {
    "plain": lambda: torch.enable_grad(),
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "meta": lambda: torch.device("meta"),
    "another type": _another_type,
}


@pytest.mark.parametrize("name", CALLERS)
def test_every_caller_gets_the_same_and_has_its_own_state_back(name: str) -> None:
    with CALLERS[name]():
        before = _state()
        with unchanged_process():
            assert torch.get_float32_matmul_precision() == "highest"
            make_repeatable(1)
            torch.manual_seed(5)
            np.random.seed(5)
            random.seed(5)
            x = torch.ones(2, 2, requires_grad=True)
            y = (x @ x).sum()
            y.backward()
            assert (y.dtype, y.item(), y.device.type, x.is_inference()) == (torch.float32, 8.0, "cpu", False)
        assert _state() == before


def test_numbers_do_not_depend_on_what_the_caller_has_drawn() -> None:
    def draw() -> list[float]:
        with unchanged_process():
            return [torch.rand(()).item(), random.random(), float(np.random.rand())]

    first = draw()
    torch.rand(3), random.random(), np.random.rand()
    assert draw() == first


def test_also_after_an_error() -> None:
    before = _state()
    with pytest.raises(ZeroDivisionError):
        _fail()
    assert _state() == before


def _fail() -> None:
    with unchanged_process():
        torch.set_default_dtype(torch.float64)
        torch.rand(3)
        raise ZeroDivisionError


def test_calls_of_several_threads_wait_for_each_other_but_not_for_code_of_the_caller() -> None:
    """Optuna with n_jobs=2, for example; and a function as objective that uses threads."""
    entered = threading.Event()

    def call() -> None:
        with unchanged_process():
            entered.set()

    with unchanged_process():
        thread = threading.Thread(target=call)
        thread.start()
        assert not entered.wait(0.2)
        with callers_code():
            assert entered.wait(20)
            thread.join()
    with unchanged_process(), unchanged_process():  # the same thread
        pass


@pytest.mark.parametrize("accelerator", [False, True])
def test_only_where_an_accelerator_is_all_its_generators_are_seeded(
    accelerator: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere torch would keep each seed with a traceback, which took most of the time of `ask` and `tell`."""
    seeded: list[int] = []
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator)
    monkeypatch.setattr(torch, "manual_seed", seeded.append)
    torch.default_generator.manual_seed(1)
    with unchanged_process():
        assert accelerator or torch.initial_seed() == NEW_PROCESS_SEED
    assert seeded == [NEW_PROCESS_SEED] * accelerator
