"""A cell of four nodes and six edges, as in NAS-Bench-201, as a graph with one node per edge."""

from __future__ import annotations

from collections.abc import Sequence

from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.node_graph import INPUT, OUTPUT, GraphForm, NodeGraph, with_fixed_edges

_LAST = len(EDGES) + 1  # the output; nodes 1 to 6 are the edges of the cell in the order of `EDGES`


def graph_form(operations: Sequence[str]) -> GraphForm:
    """8 nodes: the input, one for each edge of the cell, the output. All cells have the same edges between them."""
    numbered = list(enumerate(EDGES, start=1))
    edges = {(0, node) for node, (source, _) in numbered if source == 0}
    edges |= {(one, two) for one, (_, end) in numbered for two, (start, _) in numbered if start == end}
    edges |= {(node, _LAST) for node, (_, end) in numbered if end == EDGES[-1][1]}
    return with_fixed_edges(("output", "input", *operations), _LAST + 1, {0: INPUT, _LAST: OUTPUT}, edges)


def to_graph(form: GraphForm, operations: Sequence[str]) -> NodeGraph:
    """The graph of the cell with these operations, in the order of `EDGES`."""
    types = (INPUT, *map(form.types.index, operations), OUTPUT)
    return form.graph(types, {pair for pair, there in form.fixed_edges.items() if there})


def from_graph(form: GraphForm, graph: NodeGraph) -> tuple[str, ...] | None:
    """The operations of the cell with this graph; None if it is no graph of a cell."""
    inner = graph.types[1:-1]
    if not form.matches(graph) or not all(kind > INPUT for kind in inner):
        return None
    return tuple(form.types[kind] for kind in inner)
