"""The operations of NAS-Bench-201 as modules, with the cost of each beside it."""

from __future__ import annotations

from torch import nn

from nas.search_spaces.base import Cost


def relu_conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch normalisation; (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
    )


def conv_bn_cost(c_in: int, c_out: int, kernel: int, out_size: int) -> Cost:
    weights = c_in * c_out * kernel * kernel
    return Cost(params=weights + 2 * c_out, macs=weights * out_size * out_size)


def operation(name: str, channels: int) -> nn.Module:
    """The module of one edge at `channels` channels; `none` has no module and must not be asked for."""
    match name:
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return relu_conv_bn(channels, channels, 1)
        case "nor_conv_3x3":
            return relu_conv_bn(channels, channels, 3)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    raise KeyError(name)


def operation_cost(name: str, channels: int, size: int) -> Cost:
    """Weights and MACs of one edge on a (channels, size, size) feature map."""
    match name:
        case "nor_conv_1x1":
            return conv_bn_cost(channels, channels, 1, size)
        case "nor_conv_3x3":
            return conv_bn_cost(channels, channels, 3, size)
    return Cost(0, 0)
