"""A cell with two inputs: two edges into each of its nodes, the nodes that its output concatenates, canonical form."""

from __future__ import annotations

from typing import NamedTuple

CELLS = ("normal", "reduce")

Edge = tuple[str, int]  # operation, input node
Edges = tuple[Edge, ...]  # two into each inner node, in the order of the nodes


class Cell(NamedTuple):
    """The edges of a cell, and the inner nodes that its output concatenates.

    Nodes 0 and 1 are the outputs of the two cells before. Edges 2i and 2i+1 lead into inner node i+2, which is their
    sum.
    """

    edges: Edges
    concat: tuple[int, ...]

    @property
    def nodes(self) -> range:
        """The inner nodes."""
        return inner_nodes(self.edges)


class Cells(NamedTuple):
    """The two cells of an architecture."""

    normal: Cell
    reduce: Cell


def inner_nodes(edges: Edges) -> range:
    """The nodes into which the edges lead."""
    return range(2, 2 + len(edges) // 2)


def pair(edges: Edges, node: int) -> Edges:
    """The two edges that lead into an inner node."""
    return edges[2 * node - 4 : 2 * node - 2]


def with_edge(edges: Edges, position: int, edge: Edge) -> Edges:
    """The edges with `edge` as number `position`."""
    return (*edges[:position], edge, *edges[position + 1 :])


def reductions(cells: int) -> tuple[int, int]:
    """The positions of the two reduction cells in a network of `cells` cells: at one and two thirds of the depth."""
    return cells // 3, 2 * cells // 3


def canonical_edges(edges: Edges) -> Edges:
    """The smallest of all valid renumberings of the inner nodes, with the two edges of each node sorted.

    A renumbering is valid if every edge, even a `none`, still comes from an earlier node; skip connections are not
    contracted. Tuples compare like the text of a genotype, because no operation's name is the beginning of another's
    and a node is one digit. The algorithm gives each number in turn to the node with the smallest edges among those
    whose inputs have numbers; if several nodes have the same edges, it tries each of them.
    """
    nodes = inner_nodes(edges)

    def numbered(found: Edges, number: dict[int, int]) -> Edges:
        possible: dict[int, Edges] = {}
        for node in nodes:
            (first, source), (second, other) = pair(edges, node)
            if node not in number and source in number and other in number:
                one, two = (first, number[source]), (second, number[other])
                possible[node] = (one, two) if one <= two else (two, one)
        if not possible:
            return found
        smallest = min(possible.values())
        return min(
            numbered(found + two, {**number, node: len(number)}) for node, two in possible.items() if two == smallest
        )

    return numbered((), {0: 0, 1: 1})


def drawn_edges(cells: Cells) -> dict[str, list[tuple[str, str, str]]]:
    """Both cells as graphs for drawing: (from node, to node, operation), `none` left out."""
    graphs: dict[str, list[tuple[str, str, str]]] = {}
    for name, cell in zip(CELLS, cells):
        labels = ("c_{k-2}", "c_{k-1}", *(str(node - 2) for node in cell.nodes))
        graphs[name] = [
            (labels[source], labels[node], operation)
            for node in cell.nodes
            for operation, source in pair(cell.edges, node)
            if operation != "none"
        ]
        graphs[name] += [(labels[node], "c_{k}", "concat") for node in cell.concat]
    return graphs
