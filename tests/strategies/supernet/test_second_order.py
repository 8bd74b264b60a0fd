"""The second-order gradient of α, against differentiation through the step of the weights."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from toy_search import (
    first_batches,
    noise,
    same,
    search,
    snapshot,
)

from nas.search_spaces import NASBench201
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet import second_order
from nas.strategies.supernet.robust_loss import Terms
from nas.strategies.supernet.second_order import second_order_gradient


class Smooth(Supernet):
    """Two mixed layers without kinks, so that finite differences are nearly exact."""

    operations: ClassVar[tuple[str, ...]] = ("none", "skip_connect", "tanh")
    derived_edges: ClassVar[int] = 2

    def __init__(self) -> None:
        super().__init__({"cell": 2})
        self.first, self.second = nn.Linear(12, 6), nn.Linear(6, 6)
        self.classifier = nn.Linear(6, 3)

    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        x = x.flatten(1)
        for layer, row in zip((self.first, self.second), probabilities["cell"]):
            y = layer(x)
            x = row[1] * y + row[2] * y.tanh()
        return self.classifier(x)

    def derive(self) -> str:
        return "".join(self.operations[column] for column in self.alphas["cell"][:, 1:].argmax(1).tolist())

    def skips(self) -> dict[str, int]:
        return {"cell": 0}


def double_backward(
    network: Supernet, alpha_batch: Any, weight_batch: Any, optimizer: torch.optim.SGD
) -> tuple[list[Tensor], list[Tensor]]:
    """∇_α CE(w'(α), α) by differentiating through the step, and the part of it that is direct."""
    parameters: dict[str, Tensor] = dict(network.named_parameters())
    alphas = network.architecture_parameters()
    group = optimizer.param_groups[0]

    def cross_entropy(values: dict[str, Tensor], batch: Any) -> Tensor:
        return functional.cross_entropy(functional_call(network, values, (batch[0],)), batch[1])

    names = [name for name in parameters if not name.startswith("alphas.")]
    slope = torch.autograd.grad(
        cross_entropy(parameters, weight_batch), [parameters[n] for n in names], create_graph=True
    )
    moved = dict(parameters)
    for name, gradient in zip(names, slope):
        buffer = optimizer.state[parameters[name]].get("momentum_buffer")
        step = gradient + group["weight_decay"] * parameters[name]
        step = step if buffer is None else step + group["momentum"] * buffer
        moved[name] = parameters[name] - group["lr"] * step
    whole = torch.autograd.grad(cross_entropy(moved, alpha_batch), alphas, retain_graph=True)
    fixed = {name: value if name.startswith("alphas.") else value.detach() for name, value in moved.items()}
    return list(whole), list(torch.autograd.grad(cross_entropy(fixed, alpha_batch), alphas))


@pytest.mark.parametrize(("smooth", "radius", "error"), [(True, 0.01, 1e-4), (False, 1e-6, 1e-4)])
def test_the_second_order_gradient_is_that_through_the_step(
    smooth: bool, radius: float, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the finite difference: with ReLUs its two sides must be near enough to lie on the same side of all."""
    monkeypatch.setattr(second_order, "RADIUS", radius)
    torch.manual_seed(0)
    network: Supernet = Smooth() if smooth else NASBench201().supernet(3, channels=2, cells_per_stage=1)
    network = network.double()
    generator = torch.Generator().manual_seed(1)
    side = 2 if smooth else 8
    batches = [
        (torch.rand((6, 3, side, side), generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2]))
        for _ in range(3)
    ]
    optimizer = torch.optim.SGD(network.weights(), 0.5, 0.9, weight_decay=3e-4)
    functional.cross_entropy(network(batches[2][0]), batches[2][1]).backward()
    optimizer.step()  # there is momentum now
    optimizer.zero_grad(set_to_none=True)
    for alpha in network.architecture_parameters():
        alpha.grad = None
    before, state = snapshot(list(network.parameters())), copy.deepcopy(optimizer.state_dict())

    def loss(batch: Any) -> Terms:
        total = functional.cross_entropy(network(batch[0]), batch[1])
        return Terms(total, total, total, total)

    got, _ = second_order_gradient(network, lambda: loss(batches[0]), lambda: loss(batches[1]), optimizer)
    expected, direct = double_backward(network, batches[0], batches[1], optimizer)
    implicit = [a - b for a, b in zip(expected, direct)]
    for ours, first, second in zip(got, direct, implicit):
        assert second.norm() > 0.01 * first.norm()  # there is something to find
        assert ((ours - first) - second).norm() < error * second.norm()
    assert same(before, list(network.parameters()))
    assert all(parameter.grad is None for parameter in network.parameters())
    now = optimizer.state_dict()["state"]
    assert all(torch.equal(now[key]["momentum_buffer"], state["state"][key]["momentum_buffer"]) for key in now)


@pytest.mark.parametrize("perturbation", ["uniform", "pgd"])
def test_second_order_goes_with_the_regulariser(perturbation: str) -> None:
    run = search(second_order=True, perturbation=perturbation, warm_up=0)
    first = search(perturbation=perturbation, warm_up=0)
    weight_batch, alpha_batch = first_batches(run)
    weights = snapshot(run.weights)
    ours, _ = run.alpha_gradient(alpha_batch, weight_batch, noise())
    theirs, _ = first.alpha_gradient(alpha_batch, weight_batch, noise())
    assert same(weights, run.weights)
    assert all(gradient.isfinite().all() for gradient in ours)
    assert not same(ours, theirs)


def test_the_finite_difference_has_the_radius_of_the_release() -> None:
    """Liu et al., ICLR 2019: .01 over the norm of the gradient."""
    assert second_order.RADIUS == 0.01
