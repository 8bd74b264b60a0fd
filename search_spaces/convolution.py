"""Convolutions of networks; strided 1×1 ones avoid a kernel that is wrong for few channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

SAFE_CHANNELS = 16  # a block of channels of oneDNN with AVX-512; with AVX2 it has 8


class SlicedPointwise(nn.Conv2d):
    """A 1×1 convolution without bias of every `step`-th row and column: the same as one with this stride.

    (B, c_in, H, W) → (B, c_out, ⌈H/step⌉, ⌈W/step⌉). The slice is taken before `forward`, so that hooks, and whatever
    replaces `forward`, see what is convolved.
    """

    def __init__(self, c_in: int, c_out: int, step: int) -> None:
        super().__init__(c_in, c_out, 1, bias=False)
        self.step = step

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(x[:, :, :: self.step, :: self.step], *args, **kwargs)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, step={self.step}"


def convolution(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias; (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉) for an odd kernel.

    With kernel 1, a stride and few channels that are last in memory, the gradient of the weights that oneDNN computes
    on a CPU is wrong, or the process dies (oneDNN issue 6035); a `SlicedPointwise` avoids it.
    """
    if kernel == 1 and stride > 1 and groups == 1 and c_in < SAFE_CHANNELS:
        return SlicedPointwise(c_in, c_out, stride)
    return nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
