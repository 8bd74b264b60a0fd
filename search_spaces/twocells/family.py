"""The data of a space of two cells: its operations, its number of nodes, and the rule of concatenation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import contains

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.twocells.cell import Cell, Edge, Edges, pair


def brief(value: object, length: int = 80) -> str:
    """`repr(value)` cut to `length` characters, for error messages."""
    text = repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."


class EdgeError(InputError):
    """Edge number `edge` of a cell, counted from 0, is wrong; if an edge is missing, `edge` is the number of edges."""

    def __init__(self, message: str, cell: str = "normal", edge: int = 0) -> None:
        super().__init__(message)
        self.cell = cell
        self.edge = edge


@dataclass(frozen=True)
class Family:
    """What tells one space of two cells from another.

    The output of a cell concatenates all its inner nodes or, with `loose_ends`, those that no other node uses.
    """

    title: str  # its name in messages
    operations: tuple[str, ...]
    count: int  # inner nodes of a cell
    loose_ends: bool = False

    @property
    def nodes(self) -> range:
        """The inner nodes of a cell; 0 and 1 are its inputs."""
        return range(2, 2 + self.count)

    @cached_property
    def _possible(self) -> list[frozenset[Edge]]:
        """What each edge of a cell can be."""
        return [frozenset(product(self.operations, range(node))) for node in self.nodes for _ in (0, 1)]

    def concat(self, edges: Edges) -> tuple[int, ...]:
        """The nodes that the output of a cell with these edges concatenates."""
        used = {source for _, source in edges} if self.loose_ends else set()
        return tuple([node for node in self.nodes if node not in used])

    def cell(self, edges: Edges) -> Cell:
        """The cell with these edges."""
        return Cell(edges, self.concat(edges))

    def check_edges(self, cell: str, edges: Edges) -> None:
        """Raises EdgeError unless each node has two edges with known operations and earlier inputs."""
        with suppress(TypeError):  # an edge that cannot be looked up
            if len(edges) == 2 * self.count and all(map(contains, self._possible, edges)):
                return
        if len(edges) != 2 * self.count:
            raise EdgeError(
                f"Expected {2 * self.count} edges in the {cell} cell but got {len(edges)}; give two for each of "
                f"nodes 2 to {self.count + 1}.",
                cell,
                min(len(edges), 2 * self.count),
            )
        for position, (operation, source) in enumerate(edges):
            node = 2 + position // 2
            if operation not in self.operations:
                raise EdgeError(
                    f"Expected an operation of {self.title} in the {cell} cell but got {brief(operation)}"
                    f"{suggest(operation, list(self.operations))}; available: {', '.join(self.operations)}.",
                    cell,
                    position,
                )
            if not 0 <= source < node:
                raise EdgeError(
                    f"Expected an input of node {node} of the {cell} cell between 0 and {node - 1} but got "
                    f"{brief(source)}; a node may use the two cell inputs and the nodes before it.",
                    cell,
                    position,
                )


def edge_changes(
    edges: Edges, position: int, operations: tuple[str, ...], twice: bool
) -> tuple[list[Edge], list[Edge]]:
    """What edge `position` can become: edges with another operation, and edges with another input.

    With `twice` a node may get both its edges from one input; without it, another input is one that the node does not
    use.
    """
    node = 2 + position // 2
    operation, source = edges[position]
    used = {source} if twice else {s for _, s in pair(edges, node)}
    return (
        [(name, source) for name in operations if name != operation],
        [(operation, other) for other in range(node) if other not in used],
    )
