"""Run a network channels-last (1.5 times faster on a CPU) for attack libraries that need ordinary tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _ToChannelsLast(torch.autograd.Function):
    """Channels-last forward, ordinary gradients backward: the libraries call `view` on what they get."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0].contiguous()


class ChannelsLast(nn.Module):
    """`network` on images in ordinary memory order."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(_ToChannelsLast.apply(x))
