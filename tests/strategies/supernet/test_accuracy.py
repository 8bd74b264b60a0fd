"""Accuracies of a supernet, of its validation and of a step: what counts as right, and as right under attack."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.data import Split
from nas.strategies.supernet.accuracy import accuracies
from nas.strategies.supernet.perturbations import PERTURBATIONS, Budget
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.strategies.supernet.robust_loss import RobustLoss


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
    assert loss.at(broken, images / 255, None, labels).accuracy == 0.75


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


class Watched(nn.Module):
    """A linear classifier that keeps what it is shown, and the gradient that it gives back to it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.randn(2, 3 * 4 * 4, generator=torch.Generator().manual_seed(1))
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        return x.flatten(1) @ self.weight.T


def test_the_attack_is_pgd_of_the_budget_from_a_random_start_on_the_first_images() -> None:
    images = torch.randint(0, 256, (7, 3, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1])
    budget, watched = Budget(eps=0.1, step_size=0.03, steps=4), Watched()
    network: Any = watched
    accuracies(network, Split(images, labels), 5, 3, budget, torch.Generator().manual_seed(0))
    assert [len(x) for x in watched.seen] == [3] * 6 + [2] * 6, "clean, four steps, attacked; of each batch"
    for batch, first in ((watched.seen[:6], 0), (watched.seen[6:], 3)):
        x, *path = batch
        y = labels[first : first + len(x)]
        assert torch.equal(x, images[first : first + len(x)] / 255)
        inside = (x > 0.11) & (x < 0.89)
        noise = (path[0] - x)[inside]
        assert 0.09 < noise.abs().max() <= 0.1 + 1e-6
        assert (noise < -0.05).any()
        assert (noise > 0.05).any()
        for before, after in pairwise(path):
            z = before.flatten(1) @ watched.weight.T
            slope = (z.softmax(1) - torch.eye(2)[y]) @ watched.weight  # of the cross-entropy
            moved = before + 0.03 * slope.sign().view_as(x)
            expected = torch.min(torch.max(moved, x - 0.1), x + 0.1).clamp(0, 1)
            torch.testing.assert_close(after, expected)
