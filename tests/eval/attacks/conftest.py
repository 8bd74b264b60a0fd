"""Fixtures of the attack tests: a trained network, and a fresh search for installed packages in every test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from briefly_trained import briefly_trained

from nas.core.data import DataSettings, load
from nas.core.images import unit_range
from nas.eval import ATTACKS, Attack
from nas.eval.attacks import library
from nas.search_spaces import Network


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """A process searches for installed packages only once, and warns only once: forget both."""
    library.modules.cache_clear()
    library.warn_once.cache_clear()
    yield
    library.modules.cache_clear()
    library.warn_once.cache_clear()


@pytest.fixture(scope="session")
def trained() -> tuple[Network, torch.Tensor, torch.Tensor]:
    """A small network that classifies digits, and 12 images that it classifies correctly."""
    data = load(DataSettings(size=8))
    cell = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    network = briefly_trained(data, cell, seed=0, steps=120)
    network.requires_grad_(False).zero_grad(set_to_none=True)
    x, y = unit_range(data.test.images[:60]).contiguous(), data.test.labels[:60]
    right = network(x).argmax(1) == y
    assert right.sum() > 30
    return network, x[right][:12], y[right][:12]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the thousands of passes of AutoAttack."""

    def adjust(self: Attack, adversary: Any, num_classes: int) -> None:
        adversary.apgd.n_iter = adversary.apgd_targeted.n_iter = adversary.fab.n_iter = 5
        adversary.apgd_targeted.n_target_classes = adversary.fab.n_target_classes = 2
        adversary.apgd.eot_iter, adversary.square.n_queries = 2, 60

    for name in ("autoattack", "autoattack-rand"):
        monkeypatch.setattr(ATTACKS.get(name), "adjust", adjust)
