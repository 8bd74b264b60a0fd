"""What to do if memory runs out: recognise the error, free unused memory, and use less."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that the memory of a GPU or of the machine is exhausted."""
    on_cpu = isinstance(error, RuntimeError) and "allocate memory" in str(error)  # torch's message on a CPU
    return on_cpu or isinstance(error, (MemoryError, torch.OutOfMemoryError))


def release(device: torch.device) -> None:
    """Free the memory of objects that nothing refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def on_host(device: torch.device) -> AbstractContextManager[Any]:
    """During the block, tensors saved for backward passes are kept in the memory of the machine and not on the GPU.

    This is slower, with the same values to the bit. On a CPU it changes nothing.
    """
    if device.type == "cpu":
        return nullcontext()

    def pack(tensor: Tensor) -> tuple[torch.device, Tensor]:
        return tensor.device, tensor.to("cpu")  # keeps the order of the dimensions in memory

    def unpack(packed: tuple[torch.device, Tensor]) -> Tensor:
        device, tensor = packed
        return tensor.to(device)

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
