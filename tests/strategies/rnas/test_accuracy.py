"""Accuracies of a supernet, of its validation and of a step: what counts as right, and as right under attack."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Split
from nas.strategies.rnas.accuracy import accuracies
from nas.strategies.rnas.losses import RobustLoss
from nas.strategies.rnas.perturbations import PERTURBATIONS, Budget
from nas.strategies.rnas.regularisers import REGULARISERS


class Broken(nn.Module):
    """Says class 0 of every image, by a logit that is `value` where its image is dark."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        logits = torch.stack([1 + mean, -mean], 1)
        return torch.where((mean < 0.5)[:, None], self.value, logits)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_an_image_without_finite_logits_is_wrong(value: float) -> None:
    images = torch.full((4, 3, 4, 4), 200, dtype=torch.uint8)
    images[1] = 10
    labels = torch.zeros(4, dtype=torch.int64)
    broken: Any = Broken(value)
    budget = Budget(eps=0.01, step_size=0.01, steps=1)
    generator = torch.Generator().manual_seed(0)
    found = accuracies(broken, Split(images, labels), 4, 4, budget, generator)
    assert found == {"val_accuracy": 0.75, "val_robust_accuracy": 0.75}
    loss = RobustLoss(REGULARISERS.get("correlation"), PERTURBATIONS.get(PERTURBATIONS.names()[0]), budget, 0.0)
    assert loss(broken, images / 255, labels, generator).accuracy == 0.75


class Valley(nn.Module):
    """Says class 0 where the mean m of an image is farther than .1 from one half: logits ((m - .5)² - .01, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        margin = (x.mean((1, 2, 3)) - 0.5) ** 2 - 0.01
        return torch.stack([margin, torch.zeros_like(margin)], 1)


def test_an_image_is_robust_when_it_is_right_before_and_after_the_attack() -> None:
    """Attacked, the first walks from the bottom of the valley up its other side, where it is right: it stays wrong."""
    means = (0.45, 0.2, 0.95)  # wrong and then right; right and then wrong; right and right
    images = torch.stack([torch.full((3, 16, 16), round(255 * mean), dtype=torch.uint8) for mean in means])
    labels = torch.zeros(3, dtype=torch.int64)
    budget = Budget(eps=0.3, step_size=0.3, steps=1)
    network: Any = Valley()
    found = accuracies(network, Split(images, labels), 3, 3, budget, torch.Generator().manual_seed(0))
    assert found == {"val_accuracy": pytest.approx(2 / 3), "val_robust_accuracy": pytest.approx(1 / 3)}
