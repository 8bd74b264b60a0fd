"""Cheap second derivatives: those of torch, by as many convolutions as they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nas.search_spaces import SPACES
from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.double_backward import cheap_double_backward
from nas.strategies.supernet.penalties import PENALTIES, Penalty, jacobian, smoothness


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def cheap(compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def computed(*inputs: Tensor) -> Tensor:
        with cheap_double_backward():
            return compute(*inputs)

    return computed


@pytest.mark.parametrize("affine", [False, True])
def test_a_normalisation_has_the_gradients_of_finite_differences(affine: bool) -> None:
    inputs = (leaf(2, 3, 3, 2), *(leaf(3, seed=seed) for seed in (1, 2) if affine))
    normalised = cheap(lambda x, *parts: functional.batch_norm(x, None, None, *parts, training=True))
    assert gradcheck(normalised, inputs)
    assert gradgradcheck(normalised, inputs)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 1, 1, 1), (2, (1, 0), 1, 2), (1, 2, 2, 4)])
def test_a_convolution_has_the_gradients_of_finite_differences(
    stride: int, padding: Any, dilation: int, groups: int
) -> None:
    weight, bias = (leaf(*shape).detach() for shape in ((4, 4 // groups, 3, 3), (4,)))
    convolved = cheap(lambda x: functional.conv2d(x, weight, bias, stride, padding, dilation, groups).sin())
    assert gradcheck(convolved, (leaf(2, 4, 5, 5),))
    assert gradgradcheck(convolved, (leaf(2, 4, 5, 5),))


def supernet(name: str) -> Supernet:
    torch.manual_seed(0)
    size = {"cells_per_stage": 1} if name == "nasbench201" else {"cells": 3}
    made: Supernet = SPACES.get(name)().supernet(3, channels=4, **size)
    return made


def penalised(network: Supernet, penalty: Penalty, block: Callable[[], Any]) -> tuple[Tensor, ...]:
    """Logits, ∇ₓ of their cross-entropy, and ∇_α of the penalty."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(4, 3, 8, 8, generator=generator).to(next(network.parameters()).dtype).requires_grad_()
    y = torch.tensor([0, 1, 2, 1])
    with differentiate_only(network, network.alphas.values()):
        with block():
            logits = network(x)
            (of_x,) = grad(functional.cross_entropy(logits, y), x, retain_graph=True)
            value = penalty.compute(network, x, y, logits)
        return (logits, of_x, *grad(value, list(network.alphas.values())))


@pytest.mark.parametrize(
    ("name", "kind"), [("nasbench201", "smoothness"), ("nasbench201", "jacobian"), ("darts", "jacobian")]
)
def test_penalties_have_the_gradients_of_torch(name: str, kind: str) -> None:
    network, penalty = supernet(name).double(), PENALTIES.get(kind)
    blocks = (lambda: penalty.graphs(network), nullcontext)
    for ours, theirs in zip(*(penalised(network, penalty, block) for block in blocks)):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
        assert ours.abs().max() > 0


def test_logits_and_first_gradients_are_the_same_bits() -> None:
    network = supernet("nasbench201")
    ours, theirs = (
        penalised(network, PENALTIES.get("smoothness"), block) for block in (cheap_double_backward, nullcontext)
    )
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


class Counted(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.convolutions += func.overloadpacket in (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)
        return func(*args, **(kwargs or {}))


@contextmanager
def counted(found: list[int]) -> Iterator[None]:
    with Counted() as mode:
        yield
    found.append(mode.convolutions)


@pytest.mark.parametrize(("penalty", "passes"), [(smoothness, 2), (jacobian, 1)])
def test_there_are_no_more_convolutions_than_the_derivatives_need(penalty: Any, passes: int) -> None:
    """In each pass four for each convolution: of x, of the gradient, and the ways back through both."""
    network, x = supernet("nasbench201"), torch.rand(4, 3, 8, 8).requires_grad_()
    made = sum(isinstance(part, nn.Conv2d) for part in network.modules())
    pools = 6 * 3  # average poolings, which are convolutions too: one for each edge of three cells
    found: list[int] = []
    with differentiate_only(network, network.alphas.values()), counted(found), cheap_double_backward():
        value = penalty(network, x, torch.tensor([0, 1, 2, 1]), network(x))
        grad(value, list(network.alphas.values()))
    assert found[0] <= 4 * (made + pools) * passes


def test_other_layers_are_computed_as_elsewhere() -> None:
    """Weights that learn keep their gradients, running averages are updated, and autocast has its type."""
    learning, x = nn.Conv2d(2, 2, 3, padding="same"), torch.rand(2, 2, 4, 4)
    norm = nn.BatchNorm2d(2)
    with cheap_double_backward():
        norm(learning(x)).square().sum().backward()
        with torch.autocast("cpu", torch.bfloat16), differentiate_only(learning, []):
            assert learning(x).dtype == torch.bfloat16
            normalised = functional.batch_norm(x.requires_grad_(), None, None, training=True)
            assert type(normalised.grad_fn).__name__ != "_BatchNormBackward"
    assert learning.weight.grad is not None
    assert (norm.num_batches_tracked, norm.running_mean.abs().max() > 0) == (1, True)


def test_each_argument_of_a_layer_counts() -> None:
    x, weight, bias = torch.rand(2, 2, 4, 4), torch.rand(2, 2, 3, 3), torch.rand(2, requires_grad=True)
    with cheap_double_backward():
        normalised = functional.batch_norm(x, None, None, training=True, eps=0.1)
        convolved = functional.conv2d(x, weight, padding="same")
        functional.conv2d(x, weight, bias).sum().backward()
    torch.testing.assert_close(normalised, functional.batch_norm(x, None, None, training=True, eps=0.1))
    torch.testing.assert_close(convolved, functional.conv2d(x, weight, padding=1))
    assert bias.grad is not None
    assert bias.grad.tolist() == [8.0, 8.0]


@pytest.mark.parametrize(("name", "cheap"), [("smoothness", True), ("jacobian", True), ("dirichlet-kl", False)])
def test_penalties_of_the_gradient_have_the_cheap_graphs(name: str, cheap: bool) -> None:
    network, x = supernet("nasbench201"), torch.rand(2, 3, 8, 8).requires_grad_()
    with PENALTIES.get(name).graphs(network):
        normalised = functional.batch_norm(x, None, None, training=True)
    assert (type(normalised.grad_fn).__name__ == "_BatchNormBackward") == cheap


def test_a_normalisation_of_vectors_or_of_single_values_is_torchs_own() -> None:
    x = torch.rand(4, 3)
    with cheap_double_backward():
        normalised = functional.batch_norm(x, None, None, training=True)
        torch.testing.assert_close(normalised, functional.batch_norm(x, x.mean(0), x.var(0, unbiased=False)))
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            functional.batch_norm(torch.rand(1, 3, 1, 1), None, None, training=True)
