"""A cell with two inputs as a graph with one node per operation, and what is left to choose in such a graph."""

from __future__ import annotations

from nas.search_spaces.node_graph import INPUT, OUTPUT, GraphForm, NodeGraph
from nas.search_spaces.twocells.cell import Edges
from nas.search_spaces.twocells.family import Family

_INPUTS = 2
_READ = 2  # an operation has at most so many edges: it reads a cell input, or the sum of two operations


def graph_form(family: Family) -> GraphForm:
    """The inputs, the two operations of each inner node, and the output, into which every operation leads.

    Operations of one node are not joined. The edge from the first input to the second says nothing and is always there.
    """
    last = _INPUTS + 2 * family.count
    operations = range(_INPUTS, last)
    edges = {(0, 1): True, (0, last): False, (1, last): False}
    edges |= {(operation, last): True for operation in operations}
    edges |= {(operation, operation + 1): False for operation in operations[::2]}
    types = ("output", "input c_{k-2}", "input c_{k-1}", *family.operations)
    return GraphForm(types, last + 1, {0: INPUT, 1: INPUT + 1, last: OUTPUT}, edges)


def _ends(source: int) -> tuple[int, ...]:
    """The nodes of the graph that make up a node of the cell: itself if it is an input, else its two operations."""
    return (source,) if source < _INPUTS else (2 * source - 2, 2 * source - 1)


def to_graph(form: GraphForm, edges: Edges) -> NodeGraph:
    """The graph of a cell: an operation that reads an inner node has edges from both operations of that node."""
    types = (INPUT, INPUT + 1, *(form.types.index(name) for name, _ in edges), OUTPUT)
    pairs = {pair for pair, there in form.fixed_edges.items() if there}
    pairs |= {(end, node) for node, (_, source) in enumerate(edges, start=_INPUTS) for end in _ends(source)}
    return form.graph(types, pairs)


def from_graph(form: GraphForm, graph: NodeGraph) -> Edges | None:
    """The edges of the cell with this graph; None if it is no graph of a cell.

    Of the edges into an operation the two likeliest count. It reads the node of the cell from which the likeliest of
    them comes, and for an inner node the other one must come from the same node.
    """
    last = form.nodes - 1
    operations = graph.types[_INPUTS:last]
    if not form.matches(graph) or min(operations) <= INPUT + 1:
        return None
    found = []
    for node, kind in enumerate(operations, start=_INPUTS):
        source = _source(graph, node)
        if source is None:
            return None
        found.append((form.types[kind], source))
    return tuple(found)


def _source(graph: NodeGraph, node: int) -> int | None:
    """The node of the cell that an operation reads."""
    likeliest = sorted(graph.sources(node), key=lambda source: -graph.probability(source, node))[:_READ]
    if not likeliest:
        return None
    source = likeliest[0] if likeliest[0] < _INPUTS else likeliest[0] // 2 + 1
    return source if set(_ends(source)) <= set(likeliest) else None
