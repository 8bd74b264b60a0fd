"""A network that wants normalised images, made to take images in [0, 1] as the networks here do."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalized(nn.Module):
    """`network((x - mean) / std)`: x is (B, 3, H, W) in [0, 1], mean and std are per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x - self.mean) / self.std)
