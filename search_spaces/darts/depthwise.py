"""Depthwise 3×3 and 5×5 convolutions whose gradients are fast on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_gradients = torch.ops.aten.convolution_backward


def depthwise(x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """`conv2d(x, weight)` of each channel by itself, padded so that a side of n pixels becomes ⌈n/stride⌉.

    x (B, C, H, W), weight (C, 1, k, k) with odd k. On a CPU torch's backward pass takes 4 to 10 times longer than
    necessary with dilation 2 and stride 2, and up to 3 times with 5×5 kernels or dilation 2 at stride 1. A whole weight
    step of the search network takes 1.4 times longer. So on a CPU

    - dilation 2 with stride 2, which only uses every other pixel, is an ordinary convolution of those pixels;
    - dilation 2 with stride 1 is an ordinary convolution of the four phases of the image (even or odd rows, even or
      odd columns), stacked in the batch; height and width must be even;
    - ordinary convolutions have the gradients of `Depthwise`.

    All other cases, and all cases under autocast, are `conv2d`. The result is the same up to rounding and can be
    differentiated any number of times.
    """
    if x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        if (stride, dilation) == (1, 1):
            return Depthwise.apply(x, weight)
        if (stride, dilation) == (2, 2):
            return Depthwise.apply(_packed(x[:, :, ::2, ::2]), weight)
        if (stride, dilation) == (1, 2) and x.shape[2] % 2 == x.shape[3] % 2 == 0:
            return _from_phases(Depthwise.apply(_phases(x), weight))
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))


class Depthwise(torch.autograd.Function):
    """`depthwise` at stride 1 and dilation 1. Its gradient for x is a convolution with the kernel turned by 180°."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        needs_x, needs_weight = ctx.needs_input_grad
        return (
            Depthwise.apply(gradient, weight.flip(2, 3)) if needs_x else None,
            _weight_gradient(x, gradient, weight) if needs_weight else None,
        )


def _weight_gradient(x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    """The gradient for the weight; that of a 5×5 kernel is computed from its four 3×3 corners, one convolution each."""
    kernel = weight.shape[-1]
    if kernel != 5:
        return _conv_weight_gradient(x, gradient, weight, kernel // 2)
    height, width = x.shape[2:]
    padded = functional.pad(x, (2, 2, 2, 2))
    result = torch.empty_like(weight)
    for row in (0, 2):
        for column in (0, 2):
            seen = padded[:, :, row : row + height + 2, column : column + width + 2]
            corner = weight[:, :, row : row + 3, column : column + 3]
            result[:, :, row : row + 3, column : column + 3] = _conv_weight_gradient(seen, gradient, corner, 0)
    return result


def _conv_weight_gradient(x: Tensor, gradient: Tensor, weight: Tensor, padding: int) -> Tensor:
    settings = ([1, 1], [padding] * 2, [1, 1], False, [0, 0], len(weight))  # stride, padding, dilation, …, groups
    return _gradients(gradient, x, weight, None, *settings, [False, True, False])[1]


def _packed(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _phases(x: Tensor) -> Tensor:
    """(B, C, 2h, 2w) → (4B, C, h, w), channels last in memory."""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    stacked = pixels.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, height // 2, width // 2, channels)
    return stacked.permute(0, 3, 1, 2)


def _from_phases(phases: Tensor) -> Tensor:
    """The inverse of `_phases`."""
    count, channels, height, width = phases.shape
    stacked = phases.permute(0, 2, 3, 1).reshape(2, 2, count // 4, height, width, channels)
    pixels = stacked.permute(2, 3, 0, 4, 1, 5).reshape(count // 4, 2 * height, 2 * width, channels)
    return pixels.permute(0, 3, 1, 2)
