"""Images and labels for the tests of measures."""

from __future__ import annotations

import pytest
import torch
from small_network import SIDE
from torch import Tensor


@pytest.fixture
def images() -> Tensor:
    return torch.rand(6, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels() -> Tensor:
    return torch.tensor([0, 1, 2, 3, 0, 1])
