"""The disagreement of two outputs: literal values, bounds, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from torch import Tensor

from nas.core.errors import InputError
from nas.strategies.supernet.regularisers import REGULARISERS, Regulariser


@pytest.fixture(params=REGULARISERS.names())
def f(request: pytest.FixtureRequest) -> Regulariser:
    return REGULARISERS.get(request.param)


def logits(seed: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
    return scale * torch.randn(5, 7, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 30.0])
def test_nothing_disagrees_with_itself(f: Regulariser, scale: float) -> None:
    clean = logits(0, scale)
    perturbed = clean.clone().requires_grad_()
    value = f(clean, perturbed)
    assert value.item() == 0.0  # exactly
    (gradient,) = torch.autograd.grad(value, perturbed)
    assert gradient.abs().max() <= 1e-7


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_bounds(f: Regulariser, scale: float) -> None:
    for seed in range(30):
        clean = logits(seed, scale)
        for perturbed in (logits(seed + 100, scale), -clean, clean + logits(seed + 200, 1e-3 * scale)):
            assert -1e-7 <= f(clean, perturbed).item() <= f.largest + 1e-6


def test_gradients_by_finite_differences(f: Regulariser) -> None:
    clean, perturbed = (logits(seed, dtype=torch.float64).requires_grad_() for seed in (0, 1))
    assert torch.autograd.gradcheck(f, (clean, perturbed))


def test_is_the_mean_over_the_batch(f: Regulariser) -> None:
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    single = torch.stack([f(clean[i : i + 1], perturbed[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(f(clean, perturbed), single.mean())


def test_the_same_for_all_classes_is_no_division_by_zero(f: Regulariser) -> None:
    constant = torch.full((5, 7), 0.3, requires_grad=True)
    value = f(logits(0), constant)
    assert 0.0 <= value.item() <= 2.0
    assert torch.autograd.grad(value, constant)[0].isfinite().all()
    assert f(constant, constant).item() == 0.0


def test_correlation_is_one_minus_pearson() -> None:
    f = REGULARISERS.get("correlation")
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    expected = np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(clean.numpy(), perturbed.numpy())])
    assert f(clean, perturbed).item() == pytest.approx(expected, rel=1e-7)
    assert f(clean, -clean).item() == pytest.approx(2.0)
    assert f(clean, 3 * clean + 5).item() == pytest.approx(0.0, abs=1e-7)  # scale and offset do not matter


def test_kl_is_from_clean_to_perturbed() -> None:
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    p, q = softmax(clean.numpy(), 1), softmax(perturbed.numpy(), 1)
    assert REGULARISERS.get("kl")(clean, perturbed).item() == pytest.approx(rel_entr(p, q).sum(1).mean())


def test_squared_is_of_probabilities() -> None:
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    p, q = softmax(clean.numpy(), 1), softmax(perturbed.numpy(), 1)
    assert REGULARISERS.get("squared")(clean, perturbed).item() == pytest.approx(((p - q) ** 2).sum(1).mean())


def test_margin_is_a_distance_over_that_at_which_a_class_can_change() -> None:
    f = REGULARISERS.get("margin")
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    values = []
    for z, moved in zip(clean.tolist(), perturbed.tolist()):
        change = [a - b for a, b in zip(z, moved)]
        distance = sum((one - sum(change) / len(change)) ** 2 for one in change)
        second, first = sorted(z)[-2:]
        values.append(distance / (distance + (first - second) ** 2 / 2))
    assert f(clean, perturbed).item() == pytest.approx(np.mean(values), rel=1e-6)
    assert f(clean, 3 * clean).item() > 0.1  # unlike the correlation, it sees that the scale changed


def test_margin_is_half_or_more_where_the_class_changes() -> None:
    f, changed = REGULARISERS.get("margin"), 0
    clean = torch.tensor([[3.0, 1.0, 0.0, -1.0]])
    smallest = torch.tensor([[2.0 - 1e-3, 2.0, 0.0, -1.0]])  # the nearest logits of another class
    assert f(clean, smallest).item() == pytest.approx(0.5, abs=1e-3)
    for seed in range(40):
        clean = logits(seed)
        perturbed = clean + logits(seed + 100, 0.5)
        for one, other in zip(clean.split(1), perturbed.split(1)):
            if one.argmax() != other.argmax():
                changed += 1
                assert f(one, other).item() >= 0.5
    assert changed > 20


def test_features_are_compared_relative_to_their_size() -> None:
    clean, perturbed = (torch.rand(3, 2, 2, 2, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    values = []
    for h, moved in zip(clean.flatten(1).tolist(), perturbed.flatten(1).tolist()):
        size = sum(one**2 for one in h) + sum(one**2 for one in moved)
        values.append(sum((a - b) ** 2 for a, b in zip(h, moved)) / size)
    f = REGULARISERS.get("features")
    assert f.of_features
    assert f(clean, perturbed).item() == pytest.approx(np.mean(values), rel=1e-5)


def test_the_scale_matters_to_those_that_say_so(f: Regulariser) -> None:
    clean, perturbed = logits(0), logits(1)
    same = f(3 * clean, 3 * perturbed).item() == pytest.approx(f(clean, perturbed).item(), rel=1e-5)
    assert same == f.scale_free
    assert f.at(1.0) is f
    assert (f.at(4.0) is f) == f.scale_free


def test_a_temperature_divides_logits_and_keeps_the_size_of_the_gradient() -> None:
    clean, perturbed = logits(0, dtype=torch.float64), logits(1, dtype=torch.float64)
    p, q = softmax(clean.numpy() / 4, 1), softmax(perturbed.numpy() / 4, 1)
    f = REGULARISERS.get("kl")
    assert f.at(4.0)(clean, perturbed).item() == pytest.approx(16 * rel_entr(p, q).sum(1).mean())
    variance = (clean - perturbed).var(1, correction=0).mean().item()
    assert f.at(1e3)(clean, perturbed).item() == pytest.approx(variance / 2, rel=1e-2)  # its limit for a large T
    assert REGULARISERS.get("squared").at(2.0).largest == 8.0
    assert f.at(4.0)(clean, clean.clone()).item() == 0.0


def test_each_says_what_it_is(f: Regulariser) -> None:
    assert f.compute.__doc__
    assert f.source


def test_an_unknown_one_is_told() -> None:
    with pytest.raises(InputError, match="'correlation'"):
        REGULARISERS.get("corelation")
