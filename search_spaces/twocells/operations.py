"""The operations on the edges of DARTS and NDS cells as modules, and their costs."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.convolution import convolution


class FactorizedReduce(nn.Module):
    """Halves the image: ReLU, two strided 1×1 convolutions, the second shifted by one pixel, concat, BN.

    (B, c_in, H, W) → (B, c_out, ⌈H/2⌉, ⌈W/2⌉). An odd side gets a line of zeros for the shifted convolution.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = convolution(c_in, c_out // 2, 1, stride=2)
        self.conv_2 = convolution(c_in, c_out - c_out // 2, 1, stride=2)
        self.bn = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        height, width = x.shape[2:]
        shifted = x[:, :, 1:, 1:]
        if height % 2 or width % 2:
            shifted = functional.pad(shifted, (0, width % 2, 0, height % 2))
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(shifted)], dim=1))


def relu_conv_bn(c_in: int, c_out: int, affine: bool = True, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, BN; (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(c_in, c_out, kernel, stride),
        nn.BatchNorm2d(c_out, affine=affine),
    )


def separable(channels: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise and pointwise convolution, BN; a side of n pixels becomes ⌈n/stride⌉."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation=dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def row_and_column(channels: int, kernel: int, stride: int, affine: bool) -> nn.Sequential:
    """ReLU, a 1×k convolution with the stride along the width, a k×1 one with it along the height, BN."""
    reach = kernel // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, kernel), (1, stride), padding=(0, reach), bias=False),
        nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), padding=(reach, 0), bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    )


def operation(name: str, channels: int, stride: int = 1, affine: bool = True) -> nn.Module:
    """The module of one edge. Raises KeyError for `none`, which has no module.

    A name ends in the size of its kernel. No BN follows a pooling: this is for the final network, not for the supernet.
    """
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
    kind, _, size = name.rpartition("_")
    if not size[-1].isdigit():
        raise KeyError(name)
    kernel = int(size[-1])
    match kind:
        case "max_pool":
            return nn.MaxPool2d(kernel, stride, padding=kernel // 2)
        case "avg_pool":
            return nn.AvgPool2d(kernel, stride, padding=kernel // 2, count_include_pad=False)
        case "sep_conv" | "dil_sep_conv":
            dilation = 2 if kind == "dil_sep_conv" else 1
            return nn.Sequential(
                *separable(channels, kernel, stride, dilation, affine),
                *separable(channels, kernel, 1, dilation, affine),
            )
        case "dil_conv":
            return nn.Sequential(*separable(channels, kernel, stride, 2, affine))
        case "conv":
            return relu_conv_bn(channels, channels, affine, kernel, stride)
        case "conv_3x1" | "conv_7x1":
            return row_and_column(channels, kernel, stride, affine)
    raise KeyError(name)


@lru_cache(maxsize=10_000)
def operation_cost(name: str, channels: int, size: int, stride: int) -> Cost:
    """Weights and MACs of one edge whose input is (channels, size, size)."""
    out = -(-size // stride)
    kind, _, kernel_size = name.rpartition("_")
    match kind:
        case "skip" if stride == 2:  # `FactorizedReduce` costs as much as a 1×1 convolution
            return conv_bn_cost(channels, channels, 1, out)
        case "sep_conv" | "dil_sep_conv" | "dil_conv":
            times = 1 if kind == "dil_conv" else 2
            weights = channels * int(kernel_size[-1]) ** 2 + channels * channels  # depthwise, pointwise
            return Cost(times * (weights + 2 * channels), times * weights * out * out)
        case "conv":
            return conv_bn_cost(channels, channels, int(kernel_size[-1]), out)
        case "conv_3x1" | "conv_7x1":
            weights = int(kernel_size[-1]) * channels * channels  # of each of the two
            return Cost(2 * weights + 2 * channels, weights * (size * out + out * out))
    return Cost(0, 0)
