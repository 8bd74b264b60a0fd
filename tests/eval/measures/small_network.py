"""A small network with any activation, for the tests of measures."""

from __future__ import annotations

import torch
from torch import nn

SIDE = 5


def small(activation: nn.Module, classes: int = 4) -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        activation,
        nn.Flatten(),
        nn.Linear(6 * SIDE**2, classes),
    ]
    network = nn.Sequential(*layers)
    network(torch.rand(20, 3, SIDE, SIDE))  # gives running statistics unlike the initial ones
    return network.eval().requires_grad_(False)
