"""A residual network of NDS: the number, width and stride of the blocks of each stage, written as the record's JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

BASIC, BOTTLENECK = "res_basic_block", "res_bottleneck_block"


class Stage(NamedTuple):
    """Equal blocks one after the other; the first of them has the stride and the change of width."""

    blocks: int
    width: int
    stride: int
    bottleneck: float | None  # width of a bottleneck's inner convolutions / width; None for basic blocks
    groups: int  # of a bottleneck's 3×3 convolution

    def inner(self, width: int) -> int:
        """The inner width of a bottleneck of `width` channels, a multiple of `groups`."""
        inner = max(1, round(width * (self.bottleneck or 1.0)))
        return -(-inner // self.groups) * self.groups


@dataclass(frozen=True)
class ResidualArch:
    """The lists of a record of NDS, whose first entries describe the stem and the others the stages.

    `bot_muls` and `num_gs` are empty for basic blocks.
    """

    ds: tuple[int, ...]  # numbers of blocks
    ws: tuple[int, ...]  # widths
    ss: tuple[int, ...]  # strides
    bot_muls: tuple[float, ...] = ()  # inner width of a bottleneck / its width
    num_gs: tuple[int, ...] = ()  # groups of a bottleneck's 3×3 convolution

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        block = BOTTLENECK if self.bot_muls else BASIC
        return (
            f'{{"block_type": "{block}", "bot_muls": {_json(self.bot_muls)}, "ds": {_json(self.ds)}, '
            f'"num_gs": {_json(self.num_gs)}, "ss": {_json(self.ss)}, "ws": {_json(self.ws)}}}'
        )

    def stages(self) -> Iterator[Stage]:
        for place in range(1, len(self.ds)):
            bottleneck = self.bot_muls[place] if self.bot_muls else None
            groups = self.num_gs[place] if self.num_gs else 1
            yield Stage(self.ds[place], self.ws[place], self.ss[place], bottleneck, groups)

    def replace(self, field: str, place: int, value: int | float) -> ResidualArch:
        """The network with another entry in one of its lists."""
        entries = list(getattr(self, field))
        entries[place] = value
        return dataclasses.replace(self, **{field: tuple(entries)})


def _json(entries: tuple[int, ...] | tuple[float, ...]) -> str:
    return str(list(entries))  # as `json.dumps` writes finite numbers
