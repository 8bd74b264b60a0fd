"""Data and a user's own module, for the tests of evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.core.data import Dataset, DataSettings, load


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load(DataSettings(size=32))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a user's module."""
    (tmp_path / "own_networks.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def make(width=4, num_classes=10):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), "
        "nn.Linear(width, num_classes))\n"
        "def frozen():\n    return make().requires_grad_(False)\n"
        "def broken():\n    raise OSError('no\\nsuch thing')\n"
        "def text():\n    return 'a network'\n"
        "class Nan(nn.Module):\n    def forward(self, x):\n        return torch.full((len(x), 10), float('nan'))\n"
        "class Pair(nn.Module):\n    def forward(self, x):\n        return x, x\n"
        "there = make()\nnumber = 5\n"
    )
    monkeypatch.syspath_prepend("")  # at the end, restores the path, to which opening adds a folder
    return tmp_path
