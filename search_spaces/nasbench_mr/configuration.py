"""A configuration of NAS-Bench-MR: modules, blocks and widths for each number of parallel branches, as 27 numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

BRANCHES = 4  # the largest number of branches
STARTS = (2, *accumulate((1 + 2 * count for count in range(1, BRANCHES + 1)), initial=2))[1:]  # 2, 5, 10, 17, 26
SIZE = STARTS[-1] + 1  # 27 numbers


class Part(NamedTuple):
    """The modules with one number of parallel branches. They are equal; each has a fusion before its blocks."""

    modules: int
    blocks: tuple[int, ...]  # of each branch
    widths: tuple[int, ...]  # of each branch


@dataclass(frozen=True)
class Configuration:
    """The numbers in the order of the benchmark's `embedding`: stem, the parts of 1 to 4 branches, last width.

    A part of n branches has 1 + 2·n numbers: its modules, the blocks of each branch, the widths of each branch.
    """

    embedding: tuple[int, ...]  # (27,)

    @classmethod
    def of(cls, stem: Iterable[int], parts: Iterable[Part], last: int) -> Configuration:
        return cls((*stem, *(n for part in parts for n in (part.modules, *part.blocks, *part.widths)), last))

    @property
    def stem(self) -> tuple[int, ...]:
        """The widths of the two convolutions of the stem."""
        return self.embedding[:2]

    @property
    def last(self) -> int:
        """The width before the classifier."""
        return self.embedding[-1]

    def parts(self) -> Iterator[Part]:
        """The parts of 1, 2, 3 and 4 branches."""
        for count, start in zip(range(1, BRANCHES + 1), STARTS):
            blocks = start + 1
            widths = blocks + count
            yield Part(self.embedding[start], self.embedding[blocks:widths], self.embedding[widths : widths + count])

    def replace(self, place: int, value: int) -> Configuration:
        return Configuration((*self.embedding[:place], value, *self.embedding[place + 1 :]))

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        rows = [
            row
            for part in self.parts()
            for row in [f"[{len(part.blocks)}, {list(part.blocks)}, {list(part.widths)}]"] * part.modules
        ]
        return (
            f'{{"input_channel": {list(self.stem)}, "inverted_residual_setting": [{", ".join(rows)}], '
            f'"last_channel": {self.last}}}'
        )
