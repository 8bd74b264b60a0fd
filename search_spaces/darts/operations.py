"""The operations of DARTS as modules, and their costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.base import Cost, conv_bn_cost


class FactorizedReduce(nn.Module):
    """Halves the image: ReLU, two strided 1×1 convolutions, the second shifted by one pixel, concat, BN.

    (B, c_in, H, W) → (B, c_out, ⌈H/2⌉, ⌈W/2⌉). An odd side gets a line of zeros for the shifted convolution.
    """

    def __init__(self, c_in: int, c_out: int, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out - c_out // 2, 1, stride=2, bias=False)
        self.bn = nn.BatchNorm2d(c_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        height, width = x.shape[2:]
        shifted = x[:, :, 1:, 1:]
        if height % 2 or width % 2:
            shifted = functional.pad(shifted, (0, width % 2, 0, height % 2))
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(shifted)], dim=1))


def relu_conv_bn(c_in: int, c_out: int, affine: bool = True) -> nn.Sequential:
    """ReLU, 1×1 convolution, BN; (B, c_in, H, W) → (B, c_out, H, W)."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out, affine=affine))


def separable(channels: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise and pointwise convolution, BN; a side of n pixels becomes ⌈n/stride⌉."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation=dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def operation(name: str, channels: int, stride: int = 1, affine: bool = True) -> nn.Module:
    """The module of one edge. Raises KeyError for `none`, which has no module.

    No BN follows a pooling: this is for the final network, not for the supernet.
    """
    match name:
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            kernel = int(name[-1])
            return nn.Sequential(
                *separable(channels, kernel, stride, 1, affine), *separable(channels, kernel, 1, 1, affine)
            )
        case "dil_conv_3x3" | "dil_conv_5x5":
            return nn.Sequential(*separable(channels, int(name[-1]), stride, 2, affine))
    raise KeyError(name)


def operation_cost(name: str, channels: int, out_size: int, stride: int) -> Cost:
    """Weights and MACs of one edge whose output is (channels, out_size, out_size)."""
    match name:
        case "skip_connect" if stride == 2:  # `FactorizedReduce` costs as much as a 1×1 convolution
            return conv_bn_cost(channels, channels, 1, out_size)
        case "sep_conv_3x3" | "sep_conv_5x5" | "dil_conv_3x3" | "dil_conv_5x5":
            times = 2 if name.startswith("sep") else 1
            weights = channels * int(name[-1]) ** 2 + channels * channels  # depthwise, pointwise
            return Cost(times * (weights + 2 * channels), times * weights * out_size * out_size)
    return Cost(0, 0)
