"""The outcome of a task: a result, a failure of its item, or an error that is not the item's fault."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from nas.core.errors import InputError, NasError, ResourceError
from nas.core.execution.executor import run_task
from nas.core.execution.out_of_memory import is_shortage, on_host, release
from nas.core.execution.worker_pool import DATA_NOTES, make_repeatable, mute_data_notes


def raising(error: BaseException) -> Any:
    def function(item: Any) -> Any:
        raise error

    return function


def test_a_result_comes_with_its_key_and_time() -> None:
    done = run_task(lambda item: item * 2, 7, 21)
    assert (done.key, done.result, done.failure) == (7, 42, None)
    assert 0 <= done.seconds < 60


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (NasError("it diverged"), "it diverged"),
        (ValueError("no such cell"), "ValueError: no such cell"),
        (RuntimeError("sizes do not fit"), "RuntimeError: sizes do not fit"),
        (ZeroDivisionError(), "ZeroDivisionError: "),
    ],
)
def test_an_error_of_the_item_is_its_failure(error: Exception, failure: str) -> None:
    done = run_task(raising(error), 3, None)
    assert (done.key, done.result, done.failure) == (3, None, failure)
    assert done.seconds >= 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(24, "Too many open files"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
    ],
)
def test_what_ran_out_stops_everything(error: Exception) -> None:
    with pytest.raises(ResourceError, match=r"ran out of a resource \(.+\); continue with `nas resume RUN"):
        run_task(raising(error), 0, None)


def test_a_long_reason_is_cut_and_an_empty_one_named() -> None:
    with pytest.raises(ResourceError) as caught:
        run_task(raising(MemoryError("a  b\n" + "x" * 500)), 0, None)
    assert f"(a b {'x' * 196});" in str(caught.value)
    with pytest.raises(ResourceError, match=r"\(MemoryError\)"):
        run_task(raising(MemoryError()), 0, None)


def test_what_the_user_can_mend_stops_everything() -> None:
    for error in (InputError("missing data"), ResourceError("no memory")):
        with pytest.raises(type(error), match=str(error)):
            run_task(raising(error), 0, None)
    with pytest.raises(InputError, match="disk is full"):
        run_task(raising(OSError(28, "No space left on device")), 0, None)


def test_an_interruption_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_task(raising(KeyboardInterrupt()), 0, None)


def test_results_are_made_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    make_repeatable(3)
    assert seen == [3]
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_helpers_leave_notes_to_others() -> None:
    logger = logging.getLogger(DATA_NOTES)
    level = logger.level
    try:
        mute_data_notes()
        assert not logger.isEnabledFor(logging.ERROR)
    finally:
        logger.setLevel(level)


# out of memory


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("can't allocate memory"), True),
        (RuntimeError("sizes do not fit"), False),
        (ValueError("can't allocate memory"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_which_errors_say_that_memory_ran_out(error: BaseException, shortage: bool) -> None:
    assert is_shortage(error) == shortage


def test_on_a_processor_nothing_is_moved() -> None:
    release(torch.device("cpu"))
    x = torch.tensor([2.0], requires_grad=True)
    assert isinstance(on_host(torch.device("cpu")), nullcontext)
    with on_host(torch.device("cpu")):
        (x**2).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == 4


def test_for_another_device_what_a_backward_pass_needs_waits_on_the_host_and_goes_back() -> None:
    assert not isinstance(on_host(torch.device("cuda")), nullcontext)
    x = torch.tensor([2.0, -1.0], requires_grad=True)
    with on_host(torch.device("cuda")):  # also accepts tensors that are on the CPU already
        loss = (x**3).exp().sum()
    loss.backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, 3 * x.detach() ** 2 * (x.detach() ** 3).exp())
