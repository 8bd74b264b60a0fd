"""Architectures with operations taken out, for every space through its public face: its strings and `edges`."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from nas.core.errors import InputError
from nas.search_spaces import SearchSpace


def _places(space: SearchSpace, arch: Any) -> list[tuple[int, int]]:
    """Where in its string the operations of an architecture stand."""
    names = sorted({name for cell in space.edges(arch).values() for _, _, name in cell}, key=len, reverse=True)
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)" if names else r"(?!)"
    return [match.span() for match in re.finditer(pattern, str(arch))]


def without(space: SearchSpace, arch: Any, places: list[tuple[int, int]]) -> Any | None:
    """The architecture with `none` at these places; None where the space cannot write that."""
    text = str(arch)
    for start, end in sorted(places, reverse=True):
        text = f"{text[:start]}none{text[end:]}"
    try:
        return space.parse(text)
    except InputError:
        return None


def cut(space: SearchSpace, arch: Any, rng: Random) -> list[Any]:
    """One operation after the other becomes `none`, in a random order, until none is left: a list of those steps.

    Empty where the space has no `none`.
    """
    places = _places(space, arch)
    rng.shuffle(places)
    if not places or without(space, arch, places[:1]) is None:
        return []
    steps = [without(space, arch, places[:count]) for count in range(1, len(places) + 1)]
    return [step for step in steps if step is not None]


def each_cut(space: SearchSpace, arch: Any) -> list[Any]:
    """The architecture with one of its operations taken out, for each of them."""
    steps = [without(space, arch, [place]) for place in _places(space, arch)]
    return [step for step in steps if step is not None]


def nothing(space: SearchSpace) -> Any | None:
    """An architecture all of whose operations are `none`; None where the space has no `none`."""
    steps = cut(space, space.largest(), Random(0))
    return steps[-1] if steps else None
