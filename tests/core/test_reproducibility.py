"""`executor.deterministic` holds in every process that computes, and is an error if there is no such kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings, executor_for
from nas.core.reproducibility import (
    FIXED_WORKSPACE,
    WORKSPACE_VARIABLE,
    Deterministic,
    make_deterministic,
    nondeterminism_as_errors,
)


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    threads = torch.get_num_threads()
    yield
    os.environ.pop(WORKSPACE_VARIABLE, None)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def state(item: int) -> tuple[int, bool, str | None]:
    return os.getpid(), torch.are_deterministic_algorithms_enabled(), os.environ.get(WORKSPACE_VARIABLE)


def without_kernel(item: int) -> None:
    torch.zeros(3).put_(torch.tensor([item]), torch.ones(1), accumulate=False)


def other_failure(item: int) -> None:
    raise RuntimeError("something else")


@pytest.mark.landing
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("asked", [True, False])
def test_it_is_in_force_where_the_work_is_done(workers: int, asked: bool) -> None:
    settings = ExecutorSettings(workers=workers, deterministic=asked)
    with executor_for(state, settings, "cpu") as executor:
        found = [done.result for done in executor.map(enumerate([0, 1]))]
    assert [one[1:] for one in found if one] == [(asked, FIXED_WORKSPACE if asked else None)] * 2
    assert all((one is not None and one[0] == os.getpid()) == (workers == 1) for one in found)
    assert torch.are_deterministic_algorithms_enabled() == asked  # this process computes too


@pytest.mark.parametrize("workers", [1, 2])
def test_an_operation_without_such_a_kernel_stops_everything(workers: int) -> None:
    settings = ExecutorSettings(workers=workers, deterministic=True)
    with executor_for(without_kernel, settings, "cpu") as executor, pytest.raises(InputError, match="put_") as caught:
        list(executor.map(enumerate([0, 1])))
    assert "executor.deterministic" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_failures_stay_what_they_are() -> None:
    with executor_for(other_failure, ExecutorSettings(workers=1, deterministic=True), "cpu") as executor:
        (done,) = executor.map(enumerate([0]))
    assert done.failure == "RuntimeError: something else"
    with pytest.raises(RuntimeError, match="something else"), nondeterminism_as_errors():
        other_failure(0)


def test_a_choice_of_the_user_is_kept_where_it_is_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    for before, after in ((":16:8", ":16:8"), (":0:0", FIXED_WORKSPACE)):
        monkeypatch.setenv(WORKSPACE_VARIABLE, before)
        make_deterministic()
        assert os.environ[WORKSPACE_VARIABLE] == after


def test_nothing_else_changes() -> None:
    """A training step on a CPU has the same bits with and without it."""

    def step(_: int) -> Any:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.MaxPool2d(2))
        loss = model(torch.randn(8, 3, 12, 12)).square().sum()
        loss.backward()
        return [parameter.grad for parameter in model.parameters()]

    plain = step(0)
    assert all(torch.equal(a, b) for a, b in zip(plain, Deterministic(step)(0)))
