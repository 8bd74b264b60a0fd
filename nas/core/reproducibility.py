"""Kernels that give the same bits each time, or an error where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nas.core.errors import InputError

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
FIXED = ":4096:8"  # eight buffers of 4 MiB: with such a fixed size cuBLAS repeats itself
WORDS = "deterministic implementation"  # what torch says of an operation that has none


def make_deterministic() -> None:
    """From now on this process uses deterministic kernels alone. To be called before its first work on a GPU."""
    if os.environ.get(WORKSPACE) not in (FIXED, ":16:8"):  # the two that cuBLAS knows as repeatable
        os.environ[WORKSPACE] = FIXED
    torch.use_deterministic_algorithms(True)


@contextmanager
def nondeterminism_as_errors() -> Iterator[None]:
    """Turn torch's refusal of an operation into one line that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if WORDS not in str(error):
            raise
        operation = str(error).split()[0]
        raise InputError(
            f"Expected deterministic kernels (executor.deterministic=true) but {operation} has none on this device; "
            "start a new run without that, or with device=cpu."
        ) from error


class Deterministic:
    """A function that computes with deterministic kernels, here and in every process that it is sent to."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        make_deterministic()
        self.function = function

    def __setstate__(self, state: dict[str, Callable[[Any], Any]]) -> None:
        make_deterministic()
        vars(self).update(state)

    def __call__(self, item: Any) -> Any:
        with nondeterminism_as_errors():
            return self.function(item)
