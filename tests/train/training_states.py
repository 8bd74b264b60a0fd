"""What the tests of a training look at: the state it saved, whether two are the same, and its accuracy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from nas.core.data import Split
from nas.core.io import checkpoint
from nas.search_spaces import Network
from nas.train import TrainedNetwork, TrainSettings

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


class Stop(Exception):
    """What interrupts a training."""


def state_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "last.pt", "training")["model"]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def accuracy(network: Network, split: Split) -> float:
    with torch.no_grad():
        return (network(split.images / 255).argmax(1) == split.labels).double().mean().item()
