"""All 1,293,208 cells in the benchmark's order, and the cell at a place in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate, product

from nas.search_spaces.nasbench101.cell import MAX_EDGES, MAX_NODES, OPERATIONS, Cell, Edge


@cache
def full_graphs(nodes: int) -> list[tuple[Edge, ...]]:
    """The edges of every graph with so many nodes, all on paths from the first to the last, and at most 9 edges.

    They are in the order of the numbers in which the edge a → b is the bit a + b(b-1)/2, as the benchmark counts them.
    Edges are in the order of the matrix's rows.
    """
    graphs: list[tuple[int, tuple[Edge, ...]]] = []

    def extend(node: int, number: int, edges: tuple[Edge, ...]) -> None:
        """Give `node` every non-empty set of inputs that leaves an edge for each node after it."""
        last = node == nodes - 1
        feeding = {source for source, _ in edges}
        needed = sum(1 << source for source in range(node) if source not in feeding) if last else 0
        for inputs in range(1, 2**node):
            if inputs & needed == needed and inputs.bit_count() <= MAX_EDGES - len(edges) - (nodes - 1 - node):
                longer = edges + tuple((source, node) for source in range(node) if inputs >> source & 1)
                longer_number = number | inputs << node * (node - 1) // 2
                if last:
                    graphs.append((longer_number, tuple(sorted(longer))))
                else:
                    extend(node + 1, longer_number, longer)

    extend(1, 0, ())
    return [edges for _, edges in sorted(graphs)]


@cache
def _ends() -> list[int]:
    """How many cells have at most 2, 3, ..., 7 nodes."""
    return list(accumulate(len(full_graphs(n)) * len(OPERATIONS) ** (n - 2) for n in range(2, MAX_NODES + 1)))


def count() -> int:
    return _ends()[-1]


def cell_at(index: int) -> Cell:
    """The cell at a place of `every_cell`, counted from 0. Raises IndexError for a place beyond the last."""
    if not 0 <= index < count():
        raise IndexError(f"Expected a place below {count()} but got {index}.")
    nodes = 2 + bisect_right(_ends(), index)
    index -= ([0, *_ends()])[nodes - 2]
    index, rest = divmod(index, len(OPERATIONS) ** (nodes - 2))
    operations: list[str] = []
    for _ in range(nodes - 2):
        rest, number = divmod(rest, len(OPERATIONS))
        operations.append(OPERATIONS[number])
    return Cell(full_graphs(nodes)[index], tuple(reversed(operations)))


def every_cell() -> Iterator[Cell]:
    """All cells: by their nodes, then by the number of the matrix (see `full_graphs`), then by their operations."""
    for nodes in range(2, MAX_NODES + 1):
        for edges in full_graphs(nodes):
            for operations in product(OPERATIONS, repeat=nodes - 2):
                yield Cell(edges, operations)
