"""The layers of a macro network of TransNAS-Bench-101: their digits, notation, changes, network and cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from nas.core.errors import InputError
from nas.search_spaces.transnas.layers import doubles, halves

DEPTHS = (4, 5, 6)  # layers
HALVED = (1, 2, 3, 4)  # how many layers may halve the image
DOUBLED = (1, 2, 3)  # how many may double the channels
NAMES = {1: "plain", 2: "double", 3: "halve", 4: "halve_and_double"}

_TEXT = re.compile(r"(?:64-)?([1-9]+)(?:-basic)?", re.IGNORECASE)
_MAX_CHARACTERS = 100  # of a text that an error shows


def is_possible(digits: Sequence[int]) -> bool:
    """Whether the space has layers of these digits."""
    return (
        len(digits) in DEPTHS
        and set(digits) <= set(NAMES)
        and sum(map(halves, digits)) in HALVED
        and sum(map(doubles, digits)) in DOUBLED
    )


@dataclass(frozen=True)
class Layers:
    """The digit of each layer: 1 plain, 2 doubles the channels, 3 halves the image, 4 does both.

    Raises InputError unless there are four to six layers of which one to four halve and one to three double.
    """

    digits: tuple[int, ...]

    def __post_init__(self) -> None:
        if not is_possible(self.digits):
            shown = "".join(map(str, self.digits))
            raise InputError(
                "Expected four to six layers of digits 1 to 4, of which one to four are 3 or 4 and one to three are 2 "
                f"or 4, but got {shown[:40]!r}; change some."
            )

    def __str__(self) -> str:
        return f"64-{''.join(map(str, self.digits))}-basic"


def parse_layers(text: str) -> Layers:
    """The layers written as 64-<digits>-basic. Raises InputError if there are none."""
    plain = " ".join(text.replace("\ufeff", " ").split()).strip("'\" ")
    match = _TEXT.fullmatch(plain)
    if match is None:
        shown = plain if len(plain) <= _MAX_CHARACTERS else f"{plain[:_MAX_CHARACTERS]}..."
        raise InputError(
            f"Expected layers of transnas-macro of the form 64-111234-basic but got {shown!r}; give four to six digits "
            "1 (plain), 2 (doubles the channels), 3 (halves the image) or 4 (both)."
        )
    return Layers(tuple(map(int, match[1])))


@cache
def every_network() -> tuple[Layers, ...]:
    """All 3,256 points, by their depth and then by their digits."""
    codes = (digits for depth in DEPTHS for digits in product(NAMES, repeat=depth))
    return tuple(Layers(digits) for digits in codes if is_possible(digits))


def changed(layers: Layers) -> Iterator[Layers]:
    """All layers with another digit, a layer more or a layer less; each once."""
    old = layers.digits
    places = range(len(old))
    changes = [(*old[:place], digit, *old[place + 1 :]) for place in places for digit in NAMES if digit != old[place]]
    changes += [(*old[:place], *old[place + 1 :]) for place in places]
    changes += [(*old[:place], digit, *old[place:]) for place in range(len(old) + 1) for digit in NAMES]
    return (Layers(digits) for digits in dict.fromkeys(changes) if is_possible(digits))
