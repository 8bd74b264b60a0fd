"""What the tests of the spaces share: cases for every space and an independent count of MACs."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.search_spaces import SPACES, Network, SearchSpace

TWO_CELLS: list[dict[str, Any]] = [
    {"channels": 3, "cells": 3},
    {"channels": 4, "cells": 5, "auxiliary": True},
    {"channels": 5, "cells": 4, "stem": "imagenet", "auxiliary": True},
]
SMALL: dict[str, list[dict[str, Any]]] = {
    "transnas-macro": [{"channels": 8, "blocks_per_layer": 1}, {"channels": 9, "blocks_per_layer": 2}],
    "transnas-micro": [{"channels": 8, "blocks_per_layer": 1}, {"channels": 9, "blocks_per_layer": 2}],
    "nasbench101": [{"channels": 4, "cells_per_stack": 1}, {"channels": 10, "cells_per_stack": 2}],
    "nasbench201": [{"channels": 3, "cells_per_stage": 1}, {"channels": 8, "cells_per_stage": 2}],
    "darts": TWO_CELLS,
    **dict.fromkeys(("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas"), TWO_CELLS[1:]),
    "nasbench-mr": [{"width_multiplier": 0.25}, {"width_multiplier": 0.2, "stem_stride": 1}],
    "nds-resnet": [{"width_multiplier": 0.05}, {"stem": "imagenet", "width_multiplier": 0.05}],
    "nds-resnext-a": [{"width_multiplier": 0.1}, {"stem": "imagenet", "width_multiplier": 0.05}],
    "nds-resnext-b": [{"width_multiplier": 0.02}, {"stem": "imagenet", "width_multiplier": 0.02}],
}  # a new space adds its own; without an entry it is tested at its scoring size


@pytest.fixture(params=SPACES.names())
def space(request: pytest.FixtureRequest) -> SearchSpace:
    """Every space, also those that share their code with another one."""
    return SPACES.get(request.param)()


@pytest.fixture
def sizes(space: SearchSpace) -> list[dict[str, Any]]:
    """Settings of small networks, the smallest first."""
    return SMALL.get(space.name, [vars(space.ScoringSettings())])


@pytest.fixture
def archs(space: SearchSpace) -> list[Any]:
    rng = Random(7)
    return [space.sample(rng) for _ in range(20)]


@pytest.fixture(scope="session")
def count_macs() -> Callable[[Network, int], int]:
    """MACs of one image at inference, seen by hooks on what convolutions and linear layers do."""

    def count(network: Network, image_size: int) -> int:
        total = 0

        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            nonlocal total
            assert isinstance(module, (nn.Conv2d, nn.Linear))
            per_output = math.prod(module.weight.shape[1:])  # inputs of one output value
            total += output.numel() * per_output

        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.register_forward_hook(hook)
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, image_size, image_size))
        return total

    return count
