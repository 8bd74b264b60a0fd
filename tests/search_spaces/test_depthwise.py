"""Depthwise convolutions equal those of torch, and so do their first and second derivatives."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nas.search_spaces.darts.depthwise import depthwise


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(8, 8), (7, 7), (6, 9), (4, 2), (1, 1), (3, 10)])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(product((1, 3, 5, 7), (1, 2), (1, 2))))
def test_depthwise_is_conv2d(
    kernel: int, stride: int, dilation: int, shape: tuple[int, int], memory_format: torch.memory_format
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, *shape, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    got = depthwise(x, weight, stride, dilation)
    expected = functional.conv2d(x, weight, None, stride, dilation * (kernel // 2), dilation, groups=4)
    torch.testing.assert_close(got, expected)
    gradient = torch.randn_like(expected)
    for ours, torchs in zip(
        torch.autograd.grad(got, (x, weight), gradient), torch.autograd.grad(expected, (x, weight), gradient)
    ):
        torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("shape", [(4, 4), (3, 4)])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), list(product((3, 5), (1, 2), (1, 2))))
def test_depthwise_can_be_differentiated_twice(kernel: int, stride: int, dilation: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, *shape, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)

    def function(x: Tensor, weight: Tensor) -> Tensor:
        return depthwise(x, weight, stride, dilation)

    assert torch.autograd.gradcheck(function, (x, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, weight), fast_mode=True)


def test_depthwise_computes_only_what_is_asked() -> None:
    x, weight = torch.randn(2, 3, 6, 6, requires_grad=True), torch.randn(3, 1, 5, 5)
    depthwise(x, weight).sum().backward()
    assert x.grad is not None
    weight.requires_grad_()
    depthwise(x.detach(), weight).sum().backward()
    assert weight.grad is not None
