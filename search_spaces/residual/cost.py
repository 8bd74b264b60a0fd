"""The cost of a residual network in closed form, and the `flops` of the records of NDS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nas.search_spaces.base import Cost
from nas.search_spaces.residual.architecture import ResidualArch, Stage
from nas.search_spaces.residual.network import stem_widths
from nas.search_spaces.widths import scaled


class Convolution(NamedTuple):
    """A convolution with BN, on maps of `size` × `size` outputs; `times` of them are equal."""

    c_in: int
    c_out: int
    kernel: int
    size: int
    groups: int = 1
    times: int = 1

    @property
    def weights(self) -> int:
        return self.times * self.c_in // self.groups * self.c_out * self.kernel**2

    @property
    def macs(self) -> int:
        return self.weights * self.size**2

    @property
    def outputs(self) -> int:
        """The number of values that BN normalises."""
        return self.times * self.c_out * self.size**2


def network_cost(arch: ResidualArch, num_classes: int, stem: str, width_multiplier: float, image_size: int) -> Cost:
    """Weights and MACs of `ResidualBody`."""
    found = list(_convolutions(arch, stem, width_multiplier, image_size))
    linear = scaled(arch.ws[-1], width_multiplier) * num_classes
    return Cost(
        params=sum(one.weights + 2 * one.c_out * one.times for one in found) + linear + num_classes,
        macs=sum(one.macs for one in found) + linear,
    )


def published_flops(arch: ResidualArch) -> int:
    """The `flops` of a record of NDS for ImageNet, for images of 224 × 224 pixels.

    They are the MACs, 5 for each value that a BN gives, and the 1,000 biases.

    Equal to the records of `ResNet_lr-wd_in` and `ResNeXt-A_in` (Radosavovic et al., ICCV 2019, arXiv:1905.13214).
    """
    found = _convolutions(arch, "imagenet", 1.0, 224)
    return sum(one.macs + 5 * one.outputs for one in found) + arch.ws[-1] * 1000 + 1000


def _convolutions(arch: ResidualArch, stem: str, multiplier: float, size: int) -> Iterator[Convolution]:
    c_in = 3
    for width in stem_widths(arch, stem, multiplier):
        size = -(-size // 2) if stem == "imagenet" else size
        yield Convolution(c_in, width, 7 if stem == "imagenet" and not arch.bot_muls else 3, size)
        c_in = width
    if stem == "imagenet" and not arch.bot_muls:  # the max-pooling
        size = -(-size // 2)
    for stage in arch.stages():
        width = scaled(stage.width, multiplier)
        after = -(-size // stage.stride)
        if stage.stride != 1 or c_in != width:
            yield Convolution(c_in, width, 1, after)
        yield from _branches(stage, c_in, width, size, after)
        c_in, size = width, after


def _branches(stage: Stage, c_in: int, width: int, size: int, after: int) -> Iterator[Convolution]:
    """The convolutions of the branches of a stage's blocks. The first block differs from the others in one of them."""
    if stage.bottleneck is None:
        yield Convolution(c_in, width, 3, after)
        yield Convolution(width, width, 3, after, times=2 * stage.blocks - 1)
        return
    inner = stage.inner(width)
    yield Convolution(c_in, inner, 1, size)
    yield Convolution(width, inner, 1, after, times=stage.blocks - 1)
    yield Convolution(inner, inner, 3, after, stage.groups, times=stage.blocks)
    yield Convolution(inner, width, 1, after, times=stage.blocks)
