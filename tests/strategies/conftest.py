"""What the tests of strategies and proxies share: the spaces, tiny networks, one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.search_spaces import Network, SearchSpace

TINY: dict[str, dict[str, Any]] = {
    "transnas-macro": {"channels": 4, "blocks_per_layer": 1},
    "transnas-micro": {"channels": 4, "blocks_per_layer": 1},
    "nasbench101": {"channels": 4, "cells_per_stack": 1},
    "nasbench-mr": {"width_multiplier": 0.1, "stem_stride": 1},
    "nasbench201": {"channels": 2, "cells_per_stage": 1},
    "darts": {"channels": 2, "cells": 3},
    "nds-resnet": {"width_multiplier": 0.03},
    "nds-resnext-a": {"width_multiplier": 0.03},
    "nds-resnext-b": {"width_multiplier": 0.03},
    **{name: {"channels": 2, "cells": 3} for name in ("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas")},
}  # a new space adds its own; without an entry it is tested at its scoring size


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Network]:
    """A small network of an architecture, normalising inside, always with the same weights for a seed."""

    def build(space: SearchSpace, arch: Any, seed: int = 0, classes: int = 4) -> Network:
        torch.manual_seed(seed)
        settings = TINY.get(space.name, vars(space.ScoringSettings()))
        return space.build(arch, classes, mean=(0.5, 0.4, 0.45), std=(0.2, 0.25, 0.3), **settings)

    return build


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Six 8×8 images in [0, 1] of four classes."""
    generator = torch.Generator().manual_seed(5)
    return torch.rand((6, 3, 8, 8), generator=generator), torch.tensor([0, 1, 2, 3, 1, 0])
