"""A call from Python computes as a new process would, and leaves this process unchanged."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from nas.core.reproducibility import WORKSPACE_VARIABLE

NEW_PROCESS_SEED = 67280421310721  # torch's own default
_one_call = threading.RLock()


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Restore, at the end of the block, the state of this process that computing changes.

    These are torch's number of threads, the flags of cuDNN and of deterministic kernels, and the random states of
    torch (of every GPU in use too), numpy and `random`. In the block, the random states, gradients, the default type
    and device, the precision of matrix products and automatic casts are those of a new process, so that numbers do not
    depend on what the caller has set or drawn.

    All this belongs to the process, so calls of several threads wait for each other.
    """
    with _one_call:
        yield from _unchanged()


@contextmanager
def callers_code() -> Iterator[None]:
    """A block in which code of the caller runs during a call; it may start other calls, in other threads too."""
    _one_call.release()
    try:
        yield
    finally:
        _one_call.acquire()


def _unchanged() -> Iterator[None]:
    threads = torch.get_num_threads()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    gradients = torch.is_grad_enabled()
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(gpus))
        stack.enter_context(torch.inference_mode(False))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":  # torch 2.6 forgets `with torch.device` in get_default_device
            stack.enter_context(torch.device("cpu"))
        try:
            _seed_torch()
            random.seed(NEW_PROCESS_SEED)
            np.random.seed(NEW_PROCESS_SEED % 2**32)
            torch.set_grad_enabled(True)
            torch.set_default_dtype(torch.float32)
            torch.set_float32_matmul_precision("highest")
            yield
        finally:
            torch.set_float32_matmul_precision(precision)
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            if workspace is None:
                os.environ.pop(WORKSPACE_VARIABLE, None)
            else:
                os.environ[WORKSPACE_VARIABLE] = workspace
            if _deterministic() != (deterministic, warns_only):  # only then: the call imports torch's compiler
                torch.use_deterministic_algorithms(deterministic, warn_only=warns_only)
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
            torch.set_num_threads(threads)


def _seed_torch() -> None:
    """Seed torch's generators. Without an accelerator that is the CPU's alone: for each accelerator that is not in use,
    `torch.manual_seed` formats and keeps a traceback, which takes most of the time of a short call.
    """
    if torch.accelerator.is_available():
        torch.manual_seed(NEW_PROCESS_SEED)
    else:
        torch.default_generator.manual_seed(NEW_PROCESS_SEED)


def _deterministic() -> tuple[bool, bool]:
    """Whether deterministic kernels are on, and whether other kernels only cause a warning."""
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
