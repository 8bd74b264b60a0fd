"""Cells as graphs of typed nodes, one node per operation: the form in which generators of architectures draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

OUTPUT = 0  # the type of the output node, and of the nodes that pad a smaller graph
INPUT = 1  # the type of the first node


def edge_index(source: int, target: int) -> int:
    """The place of an edge in `NodeGraph.edges`: by target, then by source; 0→1, 0→2, 1→2, 0→3, …"""
    return target * (target - 1) // 2 + source


@dataclass(frozen=True)
class NodeGraph:
    """A graph whose nodes have types and whose edges lead from earlier to later nodes.

    `types` holds the number of each node's type, `edges` whether each of the n(n-1)/2 edges is there, in the order of
    `edge_index`. `probabilities` says how likely each edge was where the graph was drawn at random; it only decides
    which of too many edges are left out.
    """

    types: tuple[int, ...]
    edges: tuple[bool, ...]
    probabilities: tuple[float, ...] | None = field(default=None, compare=False)

    def has(self, source: int, target: int) -> bool:
        """Whether there is an edge from `source` to `target`."""
        return self.edges[edge_index(source, target)]

    def probability(self, source: int, target: int) -> float:
        """How likely the edge was; 1 or 0 if nobody said."""
        if self.probabilities is None:
            return float(self.has(source, target))
        return self.probabilities[edge_index(source, target)]

    def sources(self, target: int) -> list[int]:
        """The nodes from which an edge leads to `target`, in ascending order."""
        return [source for source in range(target) if self.has(source, target)]


@dataclass(frozen=True)
class GraphForm:
    """The form of the graphs that stand for one part of an architecture, such as its normal cell.

    `types` names the types: the output, then the inputs (the first nodes), then the operations. `fixed_types` and
    `fixed_edges` are the entries that are the same in the graphs of all architectures, by node and by (source, target).
    """

    types: tuple[str, ...]
    nodes: int
    fixed_types: Mapping[int, int]
    fixed_edges: Mapping[tuple[int, int], bool]

    @property
    def edges(self) -> int:
        """The number of edges of the complete graph."""
        return self.nodes * (self.nodes - 1) // 2

    def graph(self, types: tuple[int, ...], edges: set[tuple[int, int]]) -> NodeGraph:
        """The graph with these types and edges; missing nodes at the end become padding, of the type `OUTPUT`."""
        padded = types + (OUTPUT,) * (self.nodes - len(types))
        pairs = ((source, target) for target in range(1, self.nodes) for source in range(target))
        return NodeGraph(padded, tuple(pair in edges for pair in pairs))

    def matches(self, graph: NodeGraph) -> bool:
        """Whether a graph has this number of nodes, known types, and every fixed entry as it must be."""
        return (
            len(graph.types) == self.nodes
            and len(graph.edges) == self.edges
            and all(0 <= kind < len(self.types) for kind in graph.types)
            and all(graph.types[node] == kind for node, kind in self.fixed_types.items())
            and all(graph.has(*pair) == there for pair, there in self.fixed_edges.items())
        )


def with_fixed_edges(
    types: tuple[str, ...], nodes: int, fixed_types: Mapping[int, int], edges: set[tuple[int, int]]
) -> GraphForm:
    """The form of graphs that all have exactly these edges."""
    fixed = {pair: pair in edges for pair in combinations(range(nodes), 2)}
    return GraphForm(types, nodes, fixed_types, fixed)
