"""The residual block of a macro network of TransNAS-Bench-101, and the network's cost in closed form."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.convolution import convolution
from nas.search_spaces.nasbench201.operations import relu_conv_bn
from nas.search_spaces.transnas.layers import Block, blocks, stem_cost, total

# In the release, the normalisation of a block's shortcut is made with `affine` and `track_running_stats` as positional
# arguments, where PyTorch expects eps and momentum: True counts as 1. The benchmark's networks were trained like this.
SHORTCUT_EPS = 1.0
SHORTCUT_MOMENTUM = 1.0


class ResidualBlock(nn.Module):
    """Twice ReLU, 3×3 convolution, BN, added to the input, or to its 1×1 convolution with BN if the shape changes.

    (B, c_in, H, W) → (B, c_out, ⌈H/stride⌉, ⌈W/stride⌉). The BN of the shortcut divides by sqrt(variance + 1), and its
    running statistics are those of the last batch, as in the networks that the benchmark trained.
    """

    def __init__(self, shape: Block) -> None:
        super().__init__()
        self.conv_a = relu_conv_bn(shape.c_in, shape.c_out, 3, shape.stride)
        self.conv_b = relu_conv_bn(shape.c_out, shape.c_out, 3)
        self.shortcut: nn.Module = nn.Identity()
        if shape.changes:
            self.shortcut = nn.Sequential(
                convolution(shape.c_in, shape.c_out, 1, shape.stride),
                nn.BatchNorm2d(shape.c_out, eps=SHORTCUT_EPS, momentum=SHORTCUT_MOMENTUM),
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.conv_b(self.conv_a(x))


def macro_cost(digits: Sequence[int], num_classes: int, channels: int, blocks_per_layer: int, image_size: int) -> Cost:
    """Weights and MACs of the network with layers of these digits."""
    stem, size = stem_cost(channels, image_size)
    parts, last = [stem], channels
    for block in blocks(digits, channels, blocks_per_layer):
        size = -(-size // block.stride)
        last = block.c_out
        parts += [conv_bn_cost(block.c_in, last, 3, size), conv_bn_cost(last, last, 3, size)]
        if block.changes:
            parts.append(conv_bn_cost(block.c_in, last, 1, size))
    return total(parts, last, num_classes)
