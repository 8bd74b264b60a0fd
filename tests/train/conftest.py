"""What the tests of training share: a small separable task whose test part must not be touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import torch

from nas.core.data import Dataset, Split
from nas.train import TrainedNetwork, TrainSettings

MEAN, STD = (0.5, 0.4, 0.45), (0.25, 0.2, 0.3)
CELLS = {
    "nasbench201": "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|",
    "darts": (
        "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('max_pool_3x3', 0), ('dil_conv_3x3', 2), "
        "('skip_connect', 0), ('avg_pool_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 3)], "
        "normal_concat=range(2, 6), "
        "reduce=[('max_pool_3x3', 0), ('skip_connect', 1), ('skip_connect', 2), ('avg_pool_3x3', 0), "
        "('dil_conv_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('skip_connect', 2)], "
        "reduce_concat=range(2, 6))"
    ),
}
SIZES: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 4, "cells_per_stage": 1},
    "darts": {"channels": 2, "cells": 3},
}


class Untouchable(Split):
    """A part that nobody may look at."""

    def __init__(self) -> None:
        """Holds nothing."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise AssertionError(f"the test part was touched: {name}")

    def __len__(self) -> NoReturn:
        raise AssertionError("the test part was touched: len")


def part(count: int, seed: int) -> Split:
    """Noise whose level in the class's colour plane tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 120, (count, 3, 8, 8), generator=generator)
    images[torch.arange(count), labels] += 100
    return Split(images.to(torch.uint8), labels)


@pytest.fixture
def dataset() -> Dataset:
    return Dataset("colours", part(60, 1), part(30, 2), Untouchable(), 3, MEAN, STD)


@pytest.fixture
def describe() -> Callable[..., TrainedNetwork]:
    def make(space: str = "nasbench201", training: str = "standard", **size: Any) -> TrainedNetwork:
        return TrainedNetwork(
            "best", space, CELLS[space], {**SIZES[space], **size}, 3, 8, list(MEAN), list(STD), {}, training, 0.0
        )  # fmt: skip

    return make


@pytest.fixture
def recipe() -> Callable[..., TrainSettings]:
    """A short recipe that leaves nothing out."""

    def make(**changes: Any) -> TrainSettings:
        values: dict[str, Any] = {
            "epochs": 3,
            "batch_size": 16,
            "crop": 1,
            "flip": True,
            "cutout": 2,
            "clip": 5.0,
            "eps": 0.1,
            "step_size": 0.04,
            "steps": 3,
            "validation_steps": 2,
        }
        settings = TrainSettings(**{**values, **changes})
        settings.check()
        return settings

    return make
