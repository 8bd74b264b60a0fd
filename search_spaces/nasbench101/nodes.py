"""A NASBench-101 cell as a graph of seven nodes."""

from __future__ import annotations

from nas.core.errors import InputError
from nas.search_spaces.nasbench101.cell import MAX_NODES, OPERATIONS, Cell, pruned
from nas.search_spaces.node_graph import INPUT, OUTPUT, GraphForm, NodeGraph

FORM = GraphForm(("output", "input", *OPERATIONS), MAX_NODES, {0: INPUT, MAX_NODES - 1: OUTPUT}, {(0, 1): True})


def to_graph(cell: Cell) -> NodeGraph:
    """The graph of a cell; nodes of the type `OUTPUT` without edges pad a smaller one."""
    return FORM.graph((INPUT, *map(FORM.types.index, cell.operations), OUTPUT), set(cell.edges))


def from_graph(graph: NodeGraph) -> Cell | None:
    """The cell of a graph, which is cut after its first node of the type `OUTPUT` and pruned; None if there is none.

    As in the benchmark, nodes on no path from the input to the output do not count.
    """
    if not FORM.matches(graph):
        return None
    output = graph.types.index(OUTPUT)
    inner = graph.types[1:output]
    if INPUT in inner:
        return None
    edges = [(source, target) for target in range(1, output + 1) for source in graph.sources(target)]
    try:
        return pruned(edges, [FORM.types[kind] for kind in inner])
    except InputError:  # there is no path, or there are more than 9 edges
        return None
