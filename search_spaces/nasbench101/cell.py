"""A NASBench-101 cell: a directed graph with an operation on each inner node, pruned to what the output depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from nas.core.errors import InputError
from nas.core.suggestions import suggest

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # in the order in which the benchmark numbers them
MAX_NODES = 7  # with input and output
MAX_EDGES = 9

Edge = tuple[int, int]  # from node, to node
PAIRS = {  # of nodes that an edge can join, by the number of the output node, in the order of the matrix's rows
    output: tuple((a, b) for a in range(output) for b in range(a + 1, output + 1)) for output in range(1, MAX_NODES)
}


def on_paths(edges: Iterable[Edge], output: int) -> set[int]:
    """The nodes on a path from node 0 to node `output`; empty if there is no such path.

    Every edge must lead to a node with a larger number.
    """
    ordered = sorted(edges)
    reached, useful = {0}, {output}
    for source, target in ordered:
        if source in reached:
            reached.add(target)
    for source, target in reversed(ordered):
        if target in useful:
            useful.add(source)
    return reached & useful if output in reached else set()


def is_full(edges: Sequence[Edge], output: int) -> bool:
    """Whether every node but the input has an input, and every node but the output is one: then all are on paths."""
    return len({target for _, target in edges}) == len({source for source, _ in edges}) == output


@dataclass(frozen=True)
class Cell:
    """Edges between the nodes 0 (input) to n-1 (output), in the order of the matrix's rows, and the inner operations.

    `operations[v - 1]` belongs to node v, for 1 ≤ v ≤ n-2. Every node is on a path from the input to the output;
    `pruned` makes such a cell of any matrix. Raises InputError if the cell is not of this form or has more than 7 nodes
    or 9 edges.
    """

    edges: tuple[Edge, ...]
    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        output = self.output
        for operation in self.operations:
            if operation not in OPERATIONS:
                raise InputError(
                    f"Expected an operation of NASBench-101 but got {str(operation)[:40]!r}"
                    f"{suggest(str(operation), list(OPERATIONS))}; available: {', '.join(OPERATIONS)}."
                )
        if not (output < MAX_NODES and len(self.edges) <= MAX_EDGES):
            raise InputError(
                f"Expected at most {MAX_NODES} nodes and {MAX_EDGES} edges on paths from input to output but got "
                f"{output + 1} and {len(self.edges)}; remove some."
            )
        previous = (0, 0)
        for edge in self.edges:
            source, target = edge
            if not (0 <= source < target <= output and previous < edge):
                raise InputError(
                    f"Expected edges from lower to higher nodes 0 to {output}, each once and in the order of rows, but "
                    f"got {edge}; sort them."
                )
            previous = edge
        if not is_full(self.edges, output):
            raise InputError(
                "Expected every node on a path from input to output but got a cell with others; prune it first."
            )

    @property
    def output(self) -> int:
        """The number of the output node."""
        return len(self.operations) + 1

    @cached_property
    def _text(self) -> str:
        edges = set(self.edges)
        bits = ["1" if pair in edges else "0" for pair in PAIRS[self.output]]
        return " ".join(["".join(bits), *self.operations])

    def __str__(self) -> str:
        """The upper triangle of the matrix row by row, then the operations: `111 conv3x3-bn-relu`."""
        return self._text

    @property
    def matrix(self) -> list[list[int]]:
        """The adjacency matrix (n × n): entry [a][b] is 1 if there is an edge from node a to node b."""
        nodes = range(self.output + 1)
        return [[int((a, b) in self.edges) for b in nodes] for a in nodes]

    def renumbered(self, order: Sequence[int]) -> Cell:
        """The isomorphic cell in which the inner nodes stand in this order, which must be a topological one."""
        place = {0: 0, **{node: number for number, node in enumerate(order, start=1)}, self.output: self.output}
        edges = tuple(sorted((place[source], place[target]) for source, target in self.edges))
        return Cell(edges, tuple(self.operations[node - 1] for node in order))


def pruned(edges: Iterable[Edge], operations: Sequence[str]) -> Cell:
    """The cell without the nodes that are on no path from input to output, and without their edges.

    `operations` are those of the inner nodes. Raises InputError if there is no path, or if what is left is no cell.
    """
    edges = list(edges)
    output = len(operations) + 1
    kept = sorted(on_paths(edges, output))
    if not kept:
        raise InputError(
            "Expected a path from the input to the output of a NASBench-101 cell but got none; add edges that make one."
        )
    number = {node: place for place, node in enumerate(kept)}
    inside = sorted((number[a], number[b]) for a, b in edges if a in number and b in number)
    return Cell(tuple(inside), tuple(operations[node - 1] for node in kept[1:-1]))
