"""A cell of TransNAS-Bench-101: NAS-Bench-201's graph without pooling, its notation, and its isomorphism classes."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

from nas.core.errors import InputError
from nas.search_spaces import graph
from nas.search_spaces.base import digest
from nas.search_spaces.nasbench201.cell import EDGES, Cell
from nas.search_spaces.transnas.micro_cost import micro_cost

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")  # by the digit of the notation
SHORTCUT = "shortcut"  # a skip_connect from node 0, which has weights where the layer changes the shape
KINDS = graph.Kinds(
    (*OPERATIONS[1:], SHORTCUT),
    identities=frozenset({"skip_connect"}),
    learned=frozenset({"nor_conv_1x1", "nor_conv_3x3", SHORTCUT}),
)
PREFIX = "64-41414-"

_TEXT = re.compile(r"(?:64-41414-)?([0-3])_([0-3]{2})_([0-3]{3})")
_MAX_CHARACTERS = 100  # of a text that an error shows


class MicroCell(Cell):
    """One operation name per edge, in the order of NAS-Bench-201: 0→1, 0→2, 1→2, 0→3, 1→3, 2→3."""

    def __str__(self) -> str:
        a, b, c, d, e, f = (OPERATIONS.index(name) for name in self.operations)
        return f"{PREFIX}{a}_{b}{c}_{d}{e}{f}"

    def arrows(self) -> tuple[tuple[int, int, str], ...]:
        """The edges other than `none`: from node, to node, kind. A skip_connect from node 0 is a shortcut."""
        return tuple(
            (source, target, SHORTCUT if source == 0 and name == "skip_connect" else name)
            for (source, target), name in zip(EDGES, self.operations)
            if name != "none"
        )


def parse_micro(text: str) -> MicroCell:
    """The cell written as 64-41414-a_bc_def, or as a_bc_def. Raises InputError if there is none."""
    plain = " ".join(text.replace("\ufeff", " ").split()).strip("'\" ")
    match = _TEXT.fullmatch(plain)
    if match is None:
        shown = plain if len(plain) <= _MAX_CHARACTERS else f"{plain[:_MAX_CHARACTERS]}..."
        raise InputError(
            f"Expected a cell of transnas-micro of the form 64-41414-a_bc_def but got {shown!r}; put a digit 0 (none), "
            "1 (skip), 2 (1x1 convolution) or 3 (3x3) for each letter."
        )
    return MicroCell(tuple(OPERATIONS[int(digit)] for digit in "".join(match.groups())))  # type: ignore[arg-type]


def function_of(cell: MicroCell) -> tuple[str, ...]:
    """The same for two cells exactly if they are isomorphic: digests of the operations on paths, by what is around.

    Edges that no input reaches or that do not reach the output are left out, and identities are wires. In each round
    the digest of an operation takes in those of what feeds it and of what it feeds, with their numbers; after as many
    rounds as there are operations, operations with the same digest have the same place.
    """
    flow = graph.Flow(graph.Graph(cell.arrows(), nodes=4), KINDS)
    numbers = range(len(flow.kinds))
    digests = [_digest((kind, flow.output[number])) for number, kind in enumerate(flow.kinds)]
    for _ in numbers:
        names = {-1: "input", **dict(enumerate(digests))}
        digests = [
            _digest(
                (
                    digests[number],
                    sorted((names[one], times) for one, times in flow.feeds[number].items()),
                    sorted((names[one], flow.feeds[one][number]) for one in numbers if flow.feeds[one][number]),
                )
            )
            for number in numbers
        ]
    return tuple(sorted(digests))


def _digest(value: object) -> str:
    return digest(repr(value)).hex()


def every_cell() -> list[MicroCell]:
    return [MicroCell(operations) for operations in product(OPERATIONS, repeat=len(EDGES))]  # type: ignore[arg-type]


@cache
def representatives() -> dict[MicroCell, MicroCell]:
    """Each cell → the isomorphic one with the fewest weights at the benchmark's size, of several the first string."""
    classes: dict[object, list[MicroCell]] = {}
    for cell in every_cell():
        classes.setdefault(function_of(cell), []).append(cell)
    found = {}
    for members in classes.values():
        best = min(members, key=lambda one: (micro_cost(one, 10, 64, 2, 32).params, str(one)))
        found.update(dict.fromkeys(members, best))
    return found
