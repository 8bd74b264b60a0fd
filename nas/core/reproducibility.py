"""Deterministic kernels: the same bits each time, or an error if an operation has no such kernel."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from nas.core.errors import InputError

WORKSPACE_VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
FIXED_WORKSPACE = ":4096:8"  # eight buffers of 4 MiB
DETERMINISTIC_WORKSPACES = (FIXED_WORKSPACE, ":16:8")  # with which cuBLAS is deterministic
NO_SUCH_KERNEL = "deterministic implementation"  # part of torch's message about an operation that has none


def make_deterministic() -> None:
    """Make this process use only deterministic kernels. Call it before the first use of a GPU."""
    if os.environ.get(WORKSPACE_VARIABLE) not in DETERMINISTIC_WORKSPACES:
        os.environ[WORKSPACE_VARIABLE] = FIXED_WORKSPACE
    torch.use_deterministic_algorithms(True)


@contextmanager
def nondeterminism_as_errors() -> Iterator[None]:
    """Turn torch's error about an operation without a deterministic kernel into an `InputError` with advice."""
    try:
        yield
    except RuntimeError as error:
        if NO_SUCH_KERNEL not in str(error):
            raise
        operation = str(error).split()[0]
        raise InputError(
            f"Expected deterministic kernels (executor.deterministic=true) but {operation} has none on this device; "
            "start a new run without this setting, or with device=cpu."
        ) from error


class Deterministic:
    """A function that computes with deterministic kernels, here and in every process to which it is sent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        make_deterministic()
        self.function = function

    def __setstate__(self, state: dict[str, Callable[[Any], Any]]) -> None:
        make_deterministic()
        vars(self).update(state)

    def __call__(self, item: Any) -> Any:
        with nondeterminism_as_errors():
            return self.function(item)
