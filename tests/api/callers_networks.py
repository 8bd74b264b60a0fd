"""Networks as users have them, with weights that are fixed by hand: one that is right on digits, and odd ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.data import Dataset
from nas.core.images import unit_range


class Nearest(nn.Module):
    """The nearest mean image of a class, written as a linear layer; batch norm and dropout do nothing in eval mode."""

    def __init__(self, means: Tensor) -> None:
        super().__init__()
        classes = len(means)
        self.first = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3, affine=False, eps=0.0)
        self.dropout = nn.Dropout()
        self.last = nn.Linear(means[0].numel(), classes)
        self.first.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.first.bias.data.zero_()  # type: ignore[union-attr]
        self.last.weight.data = 2 * means.flatten(1)
        self.last.bias.data = -means.flatten(1).square().sum(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.dropout(self.norm(self.first(x))).flatten(1))


def nearest(data: Dataset) -> Nearest:
    x, y = unit_range(data.train.images), data.train.labels
    return Nearest(torch.stack([x[y == label].mean(0) for label in range(data.num_classes)])).train()


class Noisy(nn.Module):
    """Draws from all generators in every pass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x + 0.01 * torch.randn_like(x) + 0.01 * float(np.random.rand()))


class Failing(nn.Module):
    """Fails in the pass of this number."""

    def __init__(self, network: nn.Module, number: int) -> None:
        super().__init__()
        self.network = network
        self.left = number

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError("out of luck")
        return self.network(x)
