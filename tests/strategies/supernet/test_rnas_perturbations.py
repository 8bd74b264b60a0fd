"""Perturbed images stay in the ball, raise the disagreement, and the supernet never notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nas.core.optimisation.attack_steps import input_gradient, project, uniform_noise
from nas.search_spaces import NASBench201
from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.perturbations import PERTURBATIONS, Budget
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.strategies.supernet.robust_loss import RobustLoss

BUDGET = Budget(eps=0.031, step_size=0.003, steps=10)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
ROUNDING = 2e-7  # of float32 near 1


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images() -> Tensor:
    return torch.rand((6, 3, 8, 8), generator=generator(1)).mul_(1.2).sub_(0.1).clamp_(0, 1)  # many at the bounds


@pytest.fixture
def supernet() -> Supernet:
    torch.manual_seed(0)
    return NASBench201().supernet(4, channels=2, cells_per_stage=1, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


def disagreement(supernet: Supernet, x: Tensor, name: str = "correlation") -> Callable[[Tensor], Tensor]:
    clean = supernet(x).detach()
    f = REGULARISERS.get(name)
    return lambda x_adv: f(clean, supernet(x_adv))


def loss_of(name: str, coefficient: float = 1.0) -> RobustLoss:
    return RobustLoss(REGULARISERS.get("correlation"), PERTURBATIONS.get(name), BUDGET, coefficient)


@pytest.mark.parametrize("name", PERTURBATIONS.names())
def test_all_points_stay_in_the_ball_and_in_the_unit_range(name: str, supernet: Supernet) -> None:
    x = images()
    f = disagreement(supernet, x)
    seen: list[Tensor] = []

    def objective(x_adv: Tensor) -> Tensor:
        seen.append(x_adv.detach())
        return f(x_adv)

    perturbation = PERTURBATIONS.get(name)
    x_adv = perturbation(objective, x, BUDGET, generator())
    assert len(seen) == perturbation.passes(BUDGET)
    for point in [*seen, x_adv]:
        assert (point - x).abs().max() <= BUDGET.eps + ROUNDING
        assert point.min() >= 0
        assert point.max() <= 1
    assert not x_adv.requires_grad
    assert not torch.equal(x_adv, x)


@pytest.mark.parametrize("regulariser", REGULARISERS.names())
def test_ten_steps_raise_the_disagreement_above_that_of_the_random_start(regulariser: str, supernet: Supernet) -> None:
    x = images()
    f = disagreement(supernet, x, regulariser)
    start = uniform_noise(x, BUDGET.eps, generator())
    x_adv = PERTURBATIONS.get("pgd")(f, x, BUDGET, generator())
    largest = REGULARISERS.get(regulariser).largest
    before, after = (value / (1 - value / largest) for value in (f(start).item(), f(x_adv).item()))
    assert after > 2 * before > 0  # as odds, because a measure with a bound cannot always double


@pytest.mark.parametrize("regulariser", REGULARISERS.names())
def test_at_the_image_itself_there_is_no_slope(regulariser: str, supernet: Supernet) -> None:
    """Why attacks start at a random point: from x they would go nowhere, or where rounding errors lead."""
    x = images()
    f = disagreement(supernet, x, regulariser)
    assert f(x).item() == 0.0
    at_start = input_gradient(f, uniform_noise(x, BUDGET.eps, generator()))
    assert input_gradient(f, x).abs().max() < 1e-4 * at_start.abs().max()


def test_fgsm_is_one_step_from_a_random_start(supernet: Supernet) -> None:
    x = images()
    f = disagreement(supernet, x)
    start = uniform_noise(x, BUDGET.eps, generator())
    step = 1.25 * BUDGET.eps * input_gradient(f, start).sign()
    expected = project(start + step, x, BUDGET.eps)
    assert torch.equal(PERTURBATIONS.get("fgsm")(f, x, BUDGET, generator()), expected)


@pytest.mark.parametrize("name", PERTURBATIONS.names())
def test_the_generator_decides(name: str, supernet: Supernet) -> None:
    x = images()
    f = disagreement(supernet, x)
    before = torch.random.get_rng_state()
    first, again, other = (PERTURBATIONS.get(name)(f, x, BUDGET, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


# the loss


class Backwards(TorchDispatchMode):
    """Notes of each convolution's backward whether it computes the gradients of input and weight."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[list[bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.masks.append(list(args[-1])[:2])
        return func(*args, **(kwargs or {}))


def test_making_perturbed_images_computes_and_leaves_no_gradient_of_a_parameter(supernet: Supernet) -> None:
    loss = loss_of("pgd")
    with Backwards() as seen:
        x_adv = loss.perturbed(supernet, images(), generator())
    assert x_adv is not None
    assert seen.masks
    assert all(mask == [True, False] for mask in seen.masks)
    assert all(parameter.grad is None for parameter in supernet.parameters())
    assert all(parameter.requires_grad for parameter in supernet.parameters())


@pytest.mark.parametrize("name", PERTURBATIONS.names())
def test_the_loss_is_cross_entropy_plus_disagreement(name: str, supernet: Supernet) -> None:
    x = images()
    f = disagreement(supernet, x)
    x_adv = PERTURBATIONS.get(name)(f, x, BUDGET, generator())
    regulariser = REGULARISERS.get("correlation")
    cross_entropy = functional.cross_entropy(supernet(x), LABELS)
    apart = regulariser(supernet(x), supernet(x_adv))  # with the clean logits' graph in both terms
    terms = loss_of(name, 0.7).at(supernet, x, x_adv, LABELS)
    torch.testing.assert_close(terms.total, cross_entropy + 0.7 * apart)
    torch.testing.assert_close(terms.cross_entropy, cross_entropy.detach())
    torch.testing.assert_close(terms.disagreement, apart.detach())
    assert terms.accuracy.item() == pytest.approx((supernet(x).argmax(1) == LABELS).float().mean().item())
    parameters = list(supernet.parameters())
    for ours, literal in zip(
        torch.autograd.grad(terms.total, parameters), torch.autograd.grad(cross_entropy + 0.7 * apart, parameters)
    ):
        torch.testing.assert_close(ours, literal)


def test_without_a_coefficient_nothing_is_perturbed_and_no_random_number_drawn(supernet: Supernet) -> None:
    random = generator()
    before = random.get_state()
    loss = loss_of("pgd", 0.0)
    x_adv = loss.perturbed(supernet, images(), random)
    assert x_adv is None
    assert torch.equal(random.get_state(), before)
    terms = loss.at(supernet, images(), x_adv, LABELS)
    assert torch.equal(terms.total, functional.cross_entropy(supernet(images()), LABELS))
    assert (loss.loss_passes, loss.attack_passes) == (1, 0)


def test_differentiate_only_gives_every_parameter_its_own_state_back(supernet: Supernet) -> None:
    first = next(supernet.parameters())
    first.requires_grad_(False)
    before = [parameter.requires_grad for parameter in supernet.parameters()]
    with differentiate_only(supernet, supernet.architecture_parameters()):
        assert all(alpha.requires_grad for alpha in supernet.architecture_parameters())
        assert not any(weight.requires_grad for weight in supernet.weights())
        with differentiate_only(supernet, ()):
            assert not any(parameter.requires_grad for parameter in supernet.parameters())
        assert all(alpha.requires_grad for alpha in supernet.architecture_parameters())
    assert [parameter.requires_grad for parameter in supernet.parameters()] == before
    with pytest.raises(ZeroDivisionError), differentiate_only(supernet, ()):
        raise ZeroDivisionError
    assert [parameter.requires_grad for parameter in supernet.parameters()] == before
