"""What both TransNAS spaces share: the settings of a network, and the shapes of the layers that its code says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nas.core.errors import InputError
from nas.search_spaces.base import Cost, conv_bn_cost


@dataclass
class TransNASSettings:
    """Size of the network; the defaults are the benchmark's own."""

    channels: int = 64  # of the stem's output, the first number of the notation; doubled by layers 2 and 4
    blocks_per_layer: int = 2  # cells or residual blocks

    def check(self) -> None:
        for key, low in (("channels", 2), ("blocks_per_layer", 1)):
            if not low <= getattr(self, key) <= 1024:
                raise InputError(
                    f"Expected {key} between {low} and 1024 but got {getattr(self, key)}; the benchmark's own network "
                    "has channels=64 blocks_per_layer=2."
                )


class Block(NamedTuple):
    """The shape of a cell or residual block, and the layer to which it belongs."""

    layer: int
    c_in: int
    c_out: int
    stride: int

    @property
    def changes(self) -> bool:
        """Whether the output has another shape than the input."""
        return self.stride != 1 or self.c_in != self.c_out


def doubles(digit: int) -> bool:
    """Whether a layer of this digit has twice the channels of the one before."""
    return digit % 2 == 0


def halves(digit: int) -> bool:
    """Whether a layer of this digit halves the image."""
    return digit > 2


def blocks(digits: Sequence[int], channels: int, blocks_per_layer: int) -> Iterator[Block]:
    """The blocks of all layers; the first one of a layer makes its change."""
    c_in = channels
    for layer, digit in enumerate(digits):
        c_out = 2 * c_in if doubles(digit) else c_in
        for number in range(blocks_per_layer):
            yield Block(layer, c_in, c_out, 2 if number == 0 and halves(digit) else 1)
            c_in = c_out


def stem_cost(channels: int, image_size: int) -> tuple[Cost, int]:
    """Weights and MACs of the stem, and the size of its output."""
    half = -(-image_size // 2)
    quarter = -(-half // 2)
    first, second = conv_bn_cost(3, channels // 2, 3, half), conv_bn_cost(channels // 2, channels, 3, quarter)
    return Cost(first.params + second.params, first.macs + second.macs), quarter


def total(parts: Sequence[Cost], last: int, num_classes: int) -> Cost:
    """The sum of the parts and of the classifier on `last` channels."""
    return Cost(
        sum(part.params for part in parts) + last * num_classes + num_classes,
        sum(part.macs for part in parts) + last * num_classes,
    )
