"""Layers of a network that can be differentiated twice at the cost of the products that are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from nas.core.double_backward import Products, batch_norm, convolution
from nas.search_spaces.nasbench201.operations import AveragePool


@contextmanager
def double_backward(body: nn.Module) -> Iterator[Products]:
    """During the block, `body` computes convolutions and normalisations (in train mode) by `nas.core.double_backward`.

    A module whose `forward` is already replaced (by a view of the network) keeps its replacement.
    """
    products = Products()
    changed: list[nn.Module] = []
    pools: list[AveragePool] = []
    try:
        for module in body.modules():
            if "forward" in vars(module):
                continue
            if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and not isinstance(module.padding, str):
                module.forward = partial(_convolve, module, products)  # type: ignore[method-assign]
                changed.append(module)
            elif isinstance(module, nn.BatchNorm2d):
                module.forward = partial(_normalise, module)  # type: ignore[method-assign]
                changed.append(module)
            elif isinstance(module, AveragePool):
                module.total = partial(_total, module.ones, products)  # type: ignore[method-assign]
                pools.append(module)
        yield products
    finally:
        for module in changed:
            del module.forward
        for pool in pools:
            del pool.total


def _convolve(layer: nn.Conv2d, products: Products, x: Tensor) -> Tensor:
    settings = (layer.stride, layer.padding, layer.dilation, layer.groups)
    out = convolution(x, layer.weight, settings, products)
    return out if layer.bias is None else out + layer.bias[:, None, None]


def _total(ones: Tensor, products: Products, x: Tensor) -> Tensor:
    """The sums that an average pooling divides, as a depthwise convolution with ones."""
    return convolution(x, ones, ((1, 1), (1, 1), (1, 1), x.shape[1]), products)


def _normalise(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Its scale and shift are constants here."""
    weight, bias = (None if one is None else one.detach() for one in (norm.weight, norm.bias))
    return batch_norm(x, weight, bias, norm.eps)
