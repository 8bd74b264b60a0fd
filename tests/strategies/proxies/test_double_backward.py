"""Layers that can be differentiated twice give torch's own values, gradients and products with the Hessian."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.core.double_backward import Products
from nas.strategies.proxies.passes.double_backward import double_backward

CONVOLUTIONS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_size": 3},
    "padded": {"kernel_size": 3, "padding": 1, "bias": False},
    "strided": {"kernel_size": 3, "padding": 1, "stride": 2, "bias": False},
    "strided pointwise": {"kernel_size": 1, "stride": 2, "bias": False},
    "depthwise": {"kernel_size": 5, "padding": 2, "groups": 4, "bias": False},
    "dilated": {"kernel_size": 3, "padding": 4, "dilation": 4, "stride": 2, "groups": 4, "bias": False},
    "oblong": {"kernel_size": (1, 3), "padding": (0, 1), "stride": (2, 1)},
    "reflecting": {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},  # stays torch's
    "named": {"kernel_size": 3, "padding": "same"},  # so does this
}


def network(settings: dict[str, Any], affine: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(4, 4, **settings), nn.BatchNorm2d(4, affine=affine), nn.Tanh(), nn.Conv2d(4, 3, 1))
    if affine:
        nn.init.normal_(layers[1].weight)
    return layers.double()


def second_order(body: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradients with respect to x and the convolutions' weights, and the Hessian times a direction."""
    inputs = [x, *(module.weight for module in body.modules() if isinstance(module, nn.Conv2d))]
    generator = torch.Generator().manual_seed(3)
    out = body(x)
    grads = torch.autograd.grad(out.square().sum() + out.exp().sum(), inputs, create_graph=True)
    direction = [torch.randn(one.shape, generator=generator, dtype=torch.float64) for one in inputs]
    products = torch.autograd.grad(sum((d * g).sum() for d, g in zip(direction, grads)), inputs)
    return [out, *grads, *products]


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_they_are_torchs_own(name: str, affine: bool) -> None:
    body = network(CONVOLUTIONS[name], affine)
    x = torch.randn(5, 4, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
    expected = second_order(body, x)
    with double_backward(body):
        got = second_order(body, x)
    for one, another in zip(got, expected):
        torch.testing.assert_close(one, another, rtol=1e-9, atol=1e-9)


def test_images_without_a_gradient() -> None:
    """As in GraSP, where only the weights have one."""
    body = network(CONVOLUTIONS["padded"])
    x = torch.randn(5, 4, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = [body[0].weight, body[3].weight]

    def hessian_gradient() -> tuple[Tensor, ...]:
        grads = torch.autograd.grad(body(x).exp().sum(), weights, create_graph=True)
        return torch.autograd.grad(sum((grad.detach() * grad).sum() for grad in grads), weights)

    expected = hessian_gradient()
    with double_backward(body):
        got = hessian_gradient()
    for one, another in zip(got, expected):
        torch.testing.assert_close(one, another, rtol=1e-9, atol=1e-9)


def test_weights_can_be_left_out_of_a_backward() -> None:
    body = network(CONVOLUTIONS["padded"])
    x = torch.randn(5, 4, 9, 9, dtype=torch.float64).requires_grad_(True)
    weights = [body[0].weight, body[3].weight]
    (expected,) = torch.autograd.grad(body(x).sum(), x)
    with double_backward(body) as products:
        assert products.to_weights is Products.to_weights is True
        products.to_weights = False
        out = body(x)
        (got,) = torch.autograd.grad(out.sum(), x, retain_graph=True)
        torch.testing.assert_close(got, expected)
        assert torch.autograd.grad(out.sum(), weights, allow_unused=True) == (None, None)


def test_forwards_are_put_back_also_after_a_failure() -> None:
    body = network(CONVOLUTIONS["padded"])
    body[1].forward = lambda x: x  # type: ignore[method-assign]  # somebody's view: stays
    seen = dict(vars(body[1]))
    with suppress(KeyError), double_backward(body):
        assert "forward" in vars(body[0])
        raise KeyError
    assert "forward" not in vars(body[0])
    assert vars(body[1])["forward"] is seen["forward"]
