"""A call from Python leaves the process as it was: threads, kernels, random states, environment."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from nas.core.reproducibility import WORKSPACE_VARIABLE


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Restore at the end of the block what computing changes in this process.

    These are torch's number of threads, the flags of cuDNN and of deterministic kernels, and the random states of
    torch (of every GPU in use too), numpy and `random`.
    """
    threads = torch.get_num_threads()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    gradients = torch.is_grad_enabled()
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            torch.set_grad_enabled(gradients)
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            if workspace is None:
                os.environ.pop(WORKSPACE_VARIABLE, None)
            else:
                os.environ[WORKSPACE_VARIABLE] = workspace
            torch.use_deterministic_algorithms(deterministic, warn_only=warns_only)
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn
            torch.set_num_threads(threads)
