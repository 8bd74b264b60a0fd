"""The blocks of residual networks as modules: a sum of a branch of convolutions and a shortcut, then ReLU."""

from __future__ import annotations

from torch import Tensor, nn

from nas.search_spaces.convolution import convolution
from nas.search_spaces.residual.architecture import Stage


def conv_bn(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution without bias and batch normalisation; (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉)."""
    return [convolution(c_in, c_out, kernel, stride, groups), nn.BatchNorm2d(c_out)]


class Block(nn.Module):
    """`relu(branch(x) + shortcut(x))`; the shortcut is a 1×1 convolution with BN if the stride or the width changes.

    A basic branch has two 3×3 convolutions, the first with the stride. A bottleneck has 1×1, 3×3 and 1×1 with the
    stride and the groups in the 3×3. BN follows each convolution, ReLU each but the last.
    """

    def __init__(self, stage: Stage, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        if stage.bottleneck is None:
            layers = [*conv_bn(c_in, width, 3, stride), nn.ReLU(), *conv_bn(width, width, 3)]
        else:
            inner = stage.inner(width)
            layers = [*conv_bn(c_in, inner, 1), nn.ReLU()]
            layers += [*conv_bn(inner, inner, 3, stride, stage.groups), nn.ReLU(), *conv_bn(inner, width, 1)]
        self.branch = nn.Sequential(*layers)
        same = stride == 1 and c_in == width
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(c_in, width, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.branch(x) + self.shortcut(x))
