"""Calibration and the landscape of the loss against plain loops and values by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_network import small
from torch import Tensor, nn
from torch.nn import functional as F

from nas.eval.measures.landscape import axis, surfaces
from nas.eval.metrics import calibration


def test_calibration_error_by_hand_and_by_a_plain_loop() -> None:
    found = calibration([0.95, 0.95, 0.55, 0.55], [1, 0, 1, 1])
    assert found.ece == pytest.approx(0.5 * 0.45 + 0.5 * 0.45)
    rng = np.random.default_rng(0)
    said = np.concatenate([rng.uniform(0, 1, 500), np.arange(16) / 15])  # an edge belongs to the bin below it
    true = rng.integers(0, 2, len(said))
    expected = 0.0
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        inside = [i for i, s in enumerate(said) if (low < s <= high) or (number == 0 and s == 0)]
        if inside:
            gap = abs(sum(true[i] for i in inside) - sum(said[i] for i in inside)) / len(inside)
            expected += len(inside) / len(said) * gap
    found = calibration(said, true)
    assert found.ece == pytest.approx(expected, abs=1e-12)
    assert sum(one.count for one in found.bins) == len(said)
    assert calibration([1.0, 1.0], [1, 1]).ece == 0.0
    for number, one in enumerate(found.bins):
        inside = [i for i, s in enumerate(said) if (number / 15 < s <= (number + 1) / 15) or (number == 0 and s == 0)]
        assert one.count == len(inside)
        assert one.to_json() == pytest.approx(
            {"count": len(inside), "confidence": said[inside].mean(), "accuracy": true[inside].mean()}
        )
    for wrong in ([], [1.5], [math.nan]):
        with pytest.raises(ValueError, match="confidences"):
            calibration(wrong, [1] * len(wrong))


def test_calibration_has_the_fifteen_bins_of_its_paper() -> None:
    """Guo et al. 2017: M = 15; a confidence of 0 is in the first bin, one of 1 in the last, and empty bins have 0."""
    found = calibration([0.0, 1.0, 1.0, 1 / 15, 0.4], [0, 1, 0, 1, 1])
    assert [one.count for one in found.bins] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert [one.confidence for one in found.bins] == pytest.approx([1 / 30, *[0] * 4, 0.4, *[0] * 8, 1.0])
    assert [one.accuracy for one in found.bins] == [0.5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]
    assert found.ece == pytest.approx(0.4 * (0.5 - 1 / 30) + 0.2 * 0.6 + 0.4 * 0.5)
    assert calibration([0.3, 0.9], [1, 1], bins=2).ece == pytest.approx(0.5 * 0.7 + 0.5 * 0.1)


def test_landscape_is_the_loss_at_the_moved_images(images: Tensor, labels: Tensor) -> None:
    network = small(nn.Tanh())
    along = axis(0.1, 2.0, 5)
    assert along == pytest.approx([-0.2, -0.1, 0.0, 0.1, 0.2])
    torch.manual_seed(4)
    loss, right = surfaces(network, images, labels, along)
    torch.manual_seed(4)
    second = torch.randint(0, 2, images.shape).float() * 2 - 1
    x = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(network(x), labels, reduction="sum"), x)
    for row, column in ((2, 2), (4, 2), (2, 4), (0, 3)):
        moved = (images + along[row] * gradient.sign() + along[column] * second).clamp(0, 1)
        for number in range(len(images)):
            logits = network(moved[number : number + 1])
            expected = F.cross_entropy(logits, labels[number : number + 1]).item()
            assert loss[row, column, number].item() == pytest.approx(expected, rel=1e-4)
            assert bool(right[row, column, number]) == (int(logits.argmax()) == int(labels[number]))
    assert loss[4, 2].mean() > loss[2, 2].mean() > loss[0, 2].mean()


def test_landscape_coordinates_are_radii_of_the_norm() -> None:
    """If the loss is the mean pixel, a step of radius a changes it by a (L∞) or a/√pixels (L2)."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3))
            return torch.stack([mean, -mean], 1)

    x, y, root = torch.full((2, 3, 4, 4), 0.5), torch.zeros(2, dtype=torch.long), math.sqrt(48)
    for norm, moved in (("Linf", 0.1), ("L2", 0.1 / root)):
        loss, _ = surfaces(Mean(), x, y, axis(0.1, 1.0, 3), norm)
        assert loss[2, 1].tolist() == pytest.approx([math.log1p(math.exp(-2 * (0.5 - moved)))] * 2)
