"""Curvature and Jacobian of a network's loss against those of the whole matrices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_network import SIDE, small
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.nn import functional as F

from nas.core.eigenvalues import largest_eigenvalue
from nas.eval.measures.curvature import input_hessian
from nas.eval.measures.jacobian import jacobian_norms
from nas.eval.networks.layout import ChannelsLast
from nas.search_spaces import NASBench201


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.Softplus(beta=5)])
def test_largest_eigenvalue_is_that_of_the_full_hessian(activation: nn.Module, images: Tensor, labels: Tensor) -> None:
    network = small(activation).double()
    x = images.double()
    start = torch.randn(len(x), 3 * SIDE**2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found, error = largest_eigenvalue(input_hessian(network, x, labels), start, steps=40)
    for image, label, value in zip(x, labels, found):
        full = hessian(lambda z, y=label: F.cross_entropy(network(z.view(1, 3, SIDE, SIDE)), y[None]), image.flatten())
        assert value.item() == pytest.approx(torch.linalg.eigvalsh(full)[-1].item(), rel=1e-6)
    assert error.max() < 1e-5 * found.max()


def test_relu_networks_need_no_more_steps_than_classes_in_single_precision(images: Tensor, labels: Tensor) -> None:
    network = small(nn.ReLU())
    start = torch.randn(len(images), 3 * SIDE**2, generator=torch.Generator().manual_seed(2))
    few, _ = largest_eigenvalue(input_hessian(network, images, labels), start, steps=5)
    many, _ = largest_eigenvalue(input_hessian(network, images, labels), start, steps=30)
    assert torch.allclose(few, many, rtol=1e-4)
    assert (many > 0).all()


def test_images_do_not_disturb_each_other(images: Tensor, labels: Tensor) -> None:
    network = small(nn.Tanh())
    start = torch.randn(len(images), 3 * SIDE**2, generator=torch.Generator().manual_seed(2))
    together, _ = largest_eigenvalue(input_hessian(network, images, labels), start)
    alone, _ = largest_eigenvalue(input_hessian(network, images[:1], labels[:1]), start[:1])
    assert together[0].item() == pytest.approx(alone.item(), rel=1e-4)


def test_a_built_network_behind_the_layout_wrapper_has_a_hessian() -> None:
    space = NASBench201()
    torch.manual_seed(1)
    cell = space.parse("|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|")
    network = space.build(cell, 4, channels=4, cells_per_stage=1).eval().requires_grad_(False)
    x, y = torch.rand(3, 3, 8, 8), torch.tensor([0, 1, 2])
    v = torch.randn(3, 3 * 64)
    wrapped = input_hessian(ChannelsLast(network.to(memory_format=torch.channels_last)), x, y)(v)
    gradients = []
    for sign in (1, -1):  # the central difference of gradients along v
        z = (x.double() + sign * 1e-6 * v.double().view_as(x)).requires_grad_(True)
        gradients.append(torch.autograd.grad(F.cross_entropy(network.double()(z), y, reduction="sum"), z)[0])
    network.float()
    expected = (gradients[0] - gradients[1]).flatten(1) / 2e-6
    assert torch.allclose(wrapped.double(), expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()])
def test_jacobian_norm_is_that_of_the_full_jacobian(activation: nn.Module, images: Tensor) -> None:
    network = small(activation).double()
    found = jacobian_norms(network, images.double())
    for image, norm in zip(images.double(), found):
        full: Any = jacobian(network, image[None])
        assert norm.item() == pytest.approx(full.norm().item(), rel=1e-9)
