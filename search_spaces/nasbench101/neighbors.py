"""Elementary changes of a NASBench-101 cell: another operation, an edge more or less, a node more or less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nas.core.errors import InputError
from nas.search_spaces.nasbench101.cell import MAX_EDGES, MAX_NODES, OPERATIONS, Cell, Edge


def with_another_operation(cell: Cell) -> Iterator[Cell]:
    for place, old in enumerate(cell.operations):
        for name in OPERATIONS:
            if name != old:
                yield Cell(cell.edges, (*cell.operations[:place], name, *cell.operations[place + 1 :]))


def with_an_edge_changed(cell: Cell) -> Iterator[Cell]:
    """An edge more or less, if every node stays on a path and there are at most nine edges."""
    present = set(cell.edges)
    for source in range(cell.output):
        for target in range(source + 1, cell.output + 1):
            yield from _valid(present ^ {(source, target)}, cell.operations)


def with_a_node_changed(cell: Cell) -> Iterator[Cell]:
    """An inner node more or less that has one edge in and one edge out."""
    found: dict[Cell, None] = {}  # two changes may give the same cell
    for node in range(1, cell.output):
        touching = [edge for edge in cell.edges if node in edge]
        if [target == node for _, target in touching].count(True) == 1 and len(touching) == 2:
            kept = {(a - (a > node), b - (b > node)) for a, b in cell.edges if node not in (a, b)}
            others = (*cell.operations[: node - 1], *cell.operations[node:])
            found.update(dict.fromkeys(_valid(kept, others)))
    if cell.output + 2 <= MAX_NODES and len(cell.edges) + 2 <= MAX_EDGES:
        for node in range(1, cell.output + 1):
            moved = {(a + (a >= node), b + (b >= node)) for a, b in cell.edges}
            for source in range(node):
                for target in range(node + 1, cell.output + 2):
                    edges = moved | {(source, node), (node, target)}
                    for name in OPERATIONS:
                        operations = (*cell.operations[: node - 1], name, *cell.operations[node - 1 :])
                        found.update(dict.fromkeys(_valid(edges, operations)))
    return iter(found)


def _valid(edges: Iterable[Edge], operations: tuple[str, ...]) -> Iterator[Cell]:
    """The cell of these edges, if it is one."""
    try:
        yield Cell(tuple(sorted(edges)), operations)
    except InputError:
        return
