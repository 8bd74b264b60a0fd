"""The operations of NAS-Bench-201 as modules, and their costs."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.convolution import convolution


def relu_conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch normalisation; (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(c_in, c_out, kernel, stride),
        nn.BatchNorm2d(c_out),
    )


class AveragePool(nn.Module):
    """3×3 average pooling, stride 1, over the pixels inside the image (pad 1, count_include_pad=False).

    On a CPU torch's own pooling is the slowest operation of the cell; as a depthwise convolution it takes a half to a
    fifth of the time on maps of 8×8 and more.
    """

    ones: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(channels, 1, 3, 3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if x.device.type != "cpu" or min(height, width) < 8:
            return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        inverse_counts = _inverse_counts if torch.compiler.is_compiling() else _known_inverse_counts
        return self.total(x) * inverse_counts(height, width, x.dtype)

    def total(self, x: Tensor) -> Tensor:
        """The sum under the window, zeros outside the image."""
        return F.conv2d(x, self.ones, padding=1, groups=x.shape[1])


def _inverse_counts(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """1 / (number of pixels of the image under a 3×3 window), for each position of the window."""
    rows, columns = (torch.full((size,), 3.0, dtype=dtype) for size in (height, width))
    rows[[0, -1]] = columns[[0, -1]] = 2.0
    return 1 / (rows[:, None] * columns)


@cache
def _known_inverse_counts(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """The same, computed once. A compiled pass computes it itself, as torch's compiler sees no caches."""
    with torch.inference_mode(False):  # the cached tensor must also work in passes with gradients
        return _inverse_counts(height, width, dtype)


def operation(name: str, channels: int) -> nn.Module:
    """The module of one edge with `channels` channels. Raises KeyError for `none`, which has no module."""
    match name:
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return relu_conv_bn(channels, channels, 1)
        case "nor_conv_3x3":
            return relu_conv_bn(channels, channels, 3)
        case "avg_pool_3x3":
            return AveragePool(channels)
    raise KeyError(name)


def operation_cost(name: str, channels: int, size: int) -> Cost:
    """Weights and MACs of one edge on a (channels, size, size) feature map."""
    match name:
        case "nor_conv_1x1":
            return conv_bn_cost(channels, channels, 1, size)
        case "nor_conv_3x3":
            return conv_bn_cost(channels, channels, 3, size)
    return Cost(0, 0)
