"""The rows of a partial table as the points of a search: a table that does not hold every class of its space."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from nas.core.errors import InputError
from nas.search_spaces import NASBench201, SearchSpace
from nas.strategies import Strategy
from nas.strategies.model_based import BatchedStrategy
from nas.strategies.random_search import RandomSearch

MAX_COUNTED = 100_000  # architectures of a space whose classes are counted; a larger space has no complete table
COMPLETE = 0.95  # of the classes of a space; where fewer are missing, a proposal without a row costs no query


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
    """Whether the table lacks more than a twentieth of the classes of the space; never for NAS-Bench-201."""
    if isinstance(space, NASBench201):
        return False
    if space.__len__() > MAX_COUNTED:
        return True
    return len(classes) < COMPLETE * len({space.canonical(arch) for arch in space})


def check_strategy(kind: type[Strategy[Any]]) -> None:
    """Raises InputError for a strategy that proposes neighbours, which a partial table seldom has."""
    if not issubclass(kind, (RandomSearch, BatchedStrategy)):
        raise InputError(
            f"Expected a strategy that chooses among rows, as the table lacks classes of its space, but "
            f"got {kind.name}, which moves to neighbours, and few of them have a row; take random, bananas or guided."
        )
