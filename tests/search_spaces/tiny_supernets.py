"""Tiny supernets with an α that is far from uniform, and images for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.search_spaces import SPACES, SearchSpace
from nas.search_spaces.supernet import Supernet

TINY: dict[str, dict[str, Any]] = {
    "darts": {"channels": 2, "cells": 3},
    "nasbench201": {"channels": 3, "cells_per_stage": 1},
}  # a new space with a supernet adds its own


WITH_SUPERNET = [name for name, kind in SPACES.components.items() if kind.supernet is not SearchSpace.supernet]


def supernet(space: SearchSpace, seed: int = 0, classes: int = 4, **settings: Any) -> Supernet:
    """A tiny one whose α is far from uniform."""
    torch.manual_seed(seed)
    network = space.supernet(classes, **{**TINY[space.name], **settings})
    with torch.no_grad():
        for alpha in network.architecture_parameters():
            alpha.mul_(1000)
    return network


def images(count: int = 4, side: int = 8, seed: int = 0) -> Tensor:
    return torch.rand((count, 3, side, side), generator=torch.Generator().manual_seed(seed))


def worst(got: Tensor, expected: Tensor) -> float:
    """The largest difference relative to the largest value."""
    return ((got - expected).abs().max() / expected.abs().max().clamp_min(1e-30)).item()
