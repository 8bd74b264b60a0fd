"""The robust terms of α: zero where the definition says so, and equal to slow versions."""

from __future__ import annotations

import pytest
import torch
from test_second_order import Smooth
from torch import Tensor
from torch.nn import functional
from toy_search import first_batches, search

from nas.strategies.supernet import PENALTIES
from nas.strategies.supernet.penalties import dirichlet_kl, gradient_change, jacobian, norms, smoothness

STD = torch.tensor([0.2, 0.25, 0.3], dtype=torch.float64).view(1, 3, 1, 1)


def smooth() -> tuple[Smooth, Tensor, Tensor]:
    torch.manual_seed(0)
    network = Smooth().double()
    network.std = STD
    x = torch.rand(4, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return network, x.requires_grad_(), torch.tensor([0, 1, 2, 0])


def slow_smoothness(network: Smooth, x: Tensor, y: Tensor) -> Tensor:
    """R by finite differences of the loss in every normalised pixel."""

    def gradient(at: Tensor, step: float = 1e-5) -> Tensor:
        result = torch.zeros_like(at)
        for place in torch.cartesian_prod(*map(torch.arange, at.shape)).tolist():
            shift = torch.zeros_like(at)
            shift[tuple(place)] = step
            above, below = (functional.cross_entropy(network(STD * (at + sign * shift)), y) for sign in (1, -1))
            result[tuple(place)] = (above - below) / (2 * step)
        return result

    with torch.no_grad():
        normalised = x.detach() / STD
        here = gradient(normalised)
        length = here.sign().flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        change = gradient(normalised + 1.5 * here.sign() / length) - here
        return 4 / len(x) * change.flatten(1).norm(dim=1).sum()


def test_the_smoothness_of_a_linear_score_is_zero() -> None:
    """A linear score in place of the cross-entropy has the same gradient everywhere."""
    _, x, _ = smooth()
    weights = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def score(images: Tensor) -> Tensor:
        return (images.flatten(1) @ weights).square().mean() * 0 + (images.flatten(1) @ weights).mean()

    assert gradient_change(score, score(x), x, STD).item() == pytest.approx(0, abs=1e-12)
    curved = gradient_change(lambda images: images.square().sum(), x.square().sum(), x, STD)
    assert curved > 0.1


def test_smoothness_equals_finite_differences() -> None:
    network, x, y = smooth()
    ours = smoothness(network, x, y, network(x))
    torch.testing.assert_close(ours, slow_smoothness(network, x, y), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("penalty", ["smoothness", "jacobian"])
def test_its_gradient_for_alpha_equals_finite_differences(penalty: str) -> None:
    network, x, y = smooth()
    alpha = network.alphas["cell"]
    compute = PENALTIES.get(penalty).compute
    (gradient,) = torch.autograd.grad(compute(network, x, y, network(x)), alpha)
    for place in ((0, 1), (1, 2)):
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                alpha[place] += sign * 1e-5
            sides.append(compute(network, x, y, network(x)).item())
            with torch.no_grad():
                alpha[place] -= sign * 1e-5
        assert gradient[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-3)


def test_the_jacobian_is_that_of_the_largest_logit_of_each_image() -> None:
    network, x, y = smooth()
    total = 0.0
    for image in x.detach():
        leaf = image[None].clone().requires_grad_()
        rows = [torch.autograd.grad(network(leaf)[0, label], leaf)[0] for label in range(3)]
        total += (STD * rows[int(network(leaf).argmax())]).square().sum().item()
    assert jacobian(network, x, y, network(x)).item() == pytest.approx(total**0.5 / 4)


def test_kl_to_an_even_dirichlet_is_zero_for_an_even_one() -> None:
    network, x, y = smooth()
    with torch.no_grad():
        network.alphas["cell"].zero_()  # elu(0) + 1 = 1
    assert dirichlet_kl(network, x, y, network(x)).item() == pytest.approx(0, abs=1e-12)
    with torch.no_grad():
        network.alphas["cell"][0, 0] = 1.0  # Dirichlet(2, 1, 1): E log x₀ + log Γ(4)/Γ(3) = ψ(2) - ψ(4) + log 3
    expected = 1 - (1 + 1 / 2 + 1 / 3) + torch.tensor(3.0, dtype=torch.float64).log().item()
    assert dirichlet_kl(network, x, y, network(x)).item() == pytest.approx(expected)
    network.kept = {"cell": torch.tensor([[True, True, False], [True, False, False]])}  # Dirichlet(2, 1)
    expected = 1 - (1 + 1 / 2) + torch.tensor(2.0, dtype=torch.float64).log().item()
    assert dirichlet_kl(network, x, y, network(x)).item() == pytest.approx(expected)


def test_a_norm_of_zero_has_the_gradient_zero() -> None:
    rows = torch.zeros(2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(norms(rows + torch.tensor([[0.0], [2.0]])).sum(), rows)
    assert torch.equal(gradient[0], torch.zeros(3))
    assert gradient[1].norm().item() == pytest.approx(1)


def test_the_penalty_is_part_of_the_loss_of_alpha_alone_and_only_late() -> None:
    options = {"coefficient": 0.0, "warm_up": 0, "penalty_after": 1, "penalty_coefficient": 0.5}
    run, plain = search(penalty="jacobian", **options), search(coefficient=0.0, warm_up=0)
    assert run.step().alpha == plain.step().alpha
    assert all(torch.equal(one, other) for one, other in zip(run.alphas, plain.alphas))
    row, other = run.step(), plain.step()
    assert row.alpha["alpha_loss"] == pytest.approx(
        row.alpha["alpha_cross_entropy"] + 0.5 * row.alpha["alpha_penalty"], rel=1e-5
    )
    assert row.weight.keys() == other.weight.keys()
    assert not torch.equal(run.alphas[0], plain.alphas[0])
    first, _ = first_batches(run)
    assert all(parameter.grad is None for parameter in run.supernet.parameters())
    assert first[0].grad is None


def test_a_penalty_is_added_to_the_disagreement() -> None:
    run = search(penalty="jacobian", warm_up=0, penalty_coefficient=0.5, coefficient=2.0)
    terms = run.alpha_loss(first_batches(run)[1], run.generator("test"))
    assert terms.disagreement > 0
    expected = terms.cross_entropy + 2 * terms.disagreement + 0.5 * terms.penalty
    torch.testing.assert_close(terms.total.detach(), expected)
