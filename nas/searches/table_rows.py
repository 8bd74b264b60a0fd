"""The rows of a partial table as the points of a search: a table that does not hold every class of its space."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from nas.core.errors import InputError
from nas.search_spaces import SearchSpace
from nas.strategies import STRATEGIES, Strategy
from nas.strategies.pool import classes_of

MAX_COUNTED = 100_000  # architectures of a space whose classes are counted; in a larger space, `SAMPLED` are looked up
COMPLETE = 0.95  # of the classes of a space; where fewer are missing, a proposal without a row costs no query
SAMPLED = 200


class TableRows:
    """A space whose points are the `classes` of a table. Draws and changes are uniform draws among them.

    Everything else, such as canonical forms, features and edges, is that of the space. The points have no neighbours.
    """

    def __init__(self, space: SearchSpace[Any], classes: Sequence[str]) -> None:
        self.whole = space
        self._rows = [space.parse(text) for text in classes]

    def sample(self, rng: Random) -> Any:
        return rng.choice(self._rows)

    def mutate(self, arch: Any, rng: Random) -> Any:
        """Another row; the only row of a table itself."""
        while (other := rng.choice(self._rows)) == arch and len(self._rows) > 1:
            pass
        return other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("whole", "neighbors"):  # copying and pickling ask before `whole` is set
            raise AttributeError(name)
        return getattr(self.whole, name)


def is_partial(space: SearchSpace[Any], classes: Sequence[str]) -> bool:
    """Whether the table lacks more than a twentieth of the classes of the space.

    In a space of more than `MAX_COUNTED` architectures, classes are not counted: whether it lacks more than a twentieth
    of `SAMPLED` random draws.
    """
    if space.__len__() <= MAX_COUNTED:
        return len(classes) < COMPLETE * len(classes_of(type(space))[0])
    there, rng, missing = set(classes), Random(0), 0
    for _ in range(SAMPLED):
        missing += str(space.canonical(space.sample(rng))) not in there
        if missing > (1 - COMPLETE) * SAMPLED:
            return True
    return False


def check_strategy(kind: type[Strategy[Any]]) -> None:
    """Raises InputError for a strategy that moves to neighbours, of which a partial table has few."""
    if kind.moves:
        choosing = {name: one for name, one in STRATEGIES.components.items() if not one.moves}
        *others, last = (name for name, one in choosing.items() if one.several or not kind.several)
        names = f"{', '.join(others)} or {last}" if others else last
        raise InputError(
            f"Expected a strategy that chooses among rows, as the table lacks classes of its space, but got "
            f"{kind.name}, which moves to neighbours, and few of them have a row; take {names}."
        )
