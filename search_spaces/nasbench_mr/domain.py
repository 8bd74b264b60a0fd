"""The values from which NAS-Bench-MR draws each of its 27 numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from random import Random

from nas.search_spaces.nasbench_mr.configuration import BRANCHES, STARTS, Configuration

STEM_WIDTHS = tuple(range(8, 65, 8))
WIDTHS = tuple(range(8, 129, 8))
COUNTS = (1, 2, 3, 4)  # of modules, and of blocks


def _choices() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from (("width 1 of the stem", STEM_WIDTHS), ("width 2 of the stem", STEM_WIDTHS))
    for count in range(1, BRANCHES + 1):
        yield f"modules of part {count}", COUNTS
        yield from ((f"blocks of part {count} branch {branch}", COUNTS) for branch in range(1, count + 1))
        yield from ((f"width of part {count} branch {branch}", WIDTHS) for branch in range(1, count + 1))
    yield "last width", WIDTHS


CHOICES = dict(_choices())  # the values of each number, by what it is; in the order of the embedding
NAMES = tuple(CHOICES)
VALUES = tuple(CHOICES.values())


def sample(rng: Random) -> Configuration:
    return Configuration(tuple(rng.choice(values) for values in VALUES))


def changes(configuration: Configuration, place: int) -> list[Configuration]:
    """The configurations with another value of one number."""
    now = configuration.embedding[place]
    return [configuration.replace(place, value) for value in VALUES[place] if value != now]


def every() -> Iterator[Configuration]:
    return map(Configuration, product(*VALUES))


def count() -> int:
    """8²·4⁴·4¹⁰·16¹⁰·16."""
    return prod(map(len, VALUES))


def largest() -> Configuration:
    return Configuration(tuple(map(max, VALUES)))


assert len(VALUES) == STARTS[-1] + 1
