"""Strided 1×1 convolutions of few channels, for which oneDNN has a kernel with a wrong gradient."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from nas.search_spaces import SearchSpace
from nas.search_spaces.convolution import SlicedPointwise, convolution


@pytest.mark.parametrize(("size", "stride"), [(8, 2), (7, 2), (7, 3), (1, 2)])
def test_slicing_first_is_the_same_convolution(size: int, stride: int) -> None:
    torch.manual_seed(0)
    sliced = convolution(4, 6, 1, stride)
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 1, stride, bias=False)
    assert type(sliced) is SlicedPointwise
    assert {name: one.tolist() for name, one in sliced.state_dict().items()} == {"weight": plain.weight.tolist()}
    x = torch.randn(3, 4, size, size, requires_grad=True)
    results = []
    for layer in (pickle.loads(pickle.dumps(sliced)), plain):
        out = layer(x)
        results.append((out, *torch.autograd.grad(out.square().sum(), [x, layer.weight])))
    for one, expected in zip(*results, strict=True):
        torch.testing.assert_close(one, expected)


def test_hooks_see_what_is_convolved() -> None:
    layer, seen = convolution(4, 6, 1, 2), []
    layer.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].shape, output.shape)))
    layer(torch.randn(3, 4, 8, 8))
    assert seen == [((3, 4, 4, 4), (3, 6, 4, 4))]


@pytest.mark.parametrize("arguments", [(16, 6, 1, 2), (4, 6, 1), (4, 6, 3, 2), (4, 6, 1, 2, 2)])
def test_other_convolutions_are_torchs_own(arguments: Any) -> None:
    assert type(convolution(*arguments)) is nn.Conv2d


def test_no_network_has_the_convolution_that_oneDNN_computes_wrongly(
    space: SearchSpace, sizes: list[dict[str, Any]]
) -> None:
    rng = Random(0)
    for _ in range(2):
        for module in space.build(space.sample(rng), **sizes[0]).modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and max(module.stride) > 1:
                assert module.groups > 1 or module.in_channels >= 16, module
