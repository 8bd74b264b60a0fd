"""Small networks and images for the tests of corruptions, which never use this machine's photographs for frost."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nas.core.data import Dataset, DataSettings, load
from nas.eval.corruptions import photographs
from nas.search_spaces import NASBench201, Network


@pytest.fixture(autouse=True)
def _no_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "PACKAGE", "no_such_package")


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)
    network = nn.Sequential(*parts)
    network(torch.rand(64, 3, 16, 16))  # gives running statistics unlike those of one batch
    return network


@pytest.fixture
def images() -> torch.Tensor:
    coarse = torch.rand(23, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    return (nn.functional.interpolate(coarse, size=16, mode="bilinear") * 255).byte()


@pytest.fixture
def labels(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The network's classes of the clean images, except for some wrong ones."""
    said = network.eval()(images.float() / 255).argmax(1)
    network.train()
    return torch.where(torch.arange(len(said)) % 5 == 0, (said + 1) % 4, said)


@pytest.fixture(scope="session")
def data() -> Dataset:
    return load(DataSettings())


@pytest.fixture(scope="session")
def untrained(data: Dataset) -> Network:
    space = NASBench201()
    torch.manual_seed(1)
    cell = space.parse("|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    return space.build(cell, channels=4, cells_per_stage=1, mean=data.mean, std=data.std).eval()
