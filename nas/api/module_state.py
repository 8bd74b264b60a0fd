"""Lend the caller's network to a call from Python and restore its state afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nas.core.errors import InputError


@contextmanager
def unchanged_network(network: nn.Module) -> Iterator[None]:
    """Restore the state of the network at the end of the block.

    The state is the mode of each part, the device and the memory order of weights, gradients and buffers, the values of
    buffers, and whether each weight gets a gradient. Raises InputError if the network has weights without a shape.
    """
    if any(is_lazy(one) for one in (*network.parameters(), *network.buffers())):
        raise InputError(
            f"Expected a network with weights but some of {type(network).__name__} have no shape yet; call it once "
            "with a batch of images."
        )
    parts = list(network.modules())
    modes = [part.training for part in parts]
    weights = [(weight, weight.data, weight.requires_grad, weight.grad) for weight in network.parameters()]
    named_buffers = [(part, dict(part._buffers.items())) for part in parts]
    values = [(buffer, buffer._version, buffer.detach().clone()) for buffer in network.buffers() if _counts(buffer)]
    try:
        for weight, *_ in weights:
            weight.grad = None  # so that the block does not add to the caller's gradient
        yield
    finally:
        with torch.no_grad():
            for part, mode in zip(parts, modes):
                part.training = mode
            for weight, data, needed, grad in weights:
                weight.data = data
                with torch.inference_mode(weight.is_inference()):  # torch refuses to change such weights elsewhere
                    weight.requires_grad_(needed)
                weight.grad = grad
            for part, buffers in named_buffers:
                for name, buffer in buffers.items():
                    part._buffers[name] = buffer
            for buffer, version, value in values:
                if buffer._version != version:
                    buffer.copy_(value)


def _counts(buffer: Tensor) -> bool:
    """Whether torch counts the changes of the buffer: it does not if the buffer was made in inference mode."""
    return not buffer.is_inference()
