"""A DARTS genotype: the eight edges of each of its two cells, the check of these edges, and their canonical form."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.errors import InputError
from nas.core.suggestions import suggest

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = (2, 3, 4, 5)  # the intermediate nodes; 0 and 1 are the cell's inputs, the output concatenates all 4
CELLS = ("normal", "reduce")

Edge = tuple[str, int]  # operation, input node
Edges = tuple[Edge, ...]  # eight: two into each of the nodes 2, 3, 4, 5, in this order


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


def check_edges(cell: str, edges: Edges) -> None:
    """Raises EdgeError unless each node has two edges with known operations and two different earlier inputs."""
    if len(edges) != 2 * len(NODES):
        raise EdgeError(
            f"Expected 8 edges in the {cell} cell but got {len(edges)}; give two for each of nodes 2 to 5.",
            cell,
            min(len(edges), 2 * len(NODES)),
        )
    for position, (operation, source) in enumerate(edges):
        node = 2 + position // 2
        if operation not in OPERATIONS:
            raise EdgeError(
                f"Expected an operation of DARTS in the {cell} cell but got {brief(operation)}"
                f"{suggest(operation, list(OPERATIONS))}; available: {', '.join(OPERATIONS)}.",
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
    for node in NODES:
        (_, first), (_, second) = pair(edges, node)
        if first == second:
            raise EdgeError(
                f"Expected two different inputs for node {node} of the {cell} cell but got {first} twice; "
                "change one of them.",
                cell,
                2 * node - 3,
            )


def reductions(cells: int) -> tuple[int, int]:
    """The positions of the two reduction cells in a network of `cells` cells: at one and two thirds of the depth."""
    return cells // 3, 2 * cells // 3


def pair(edges: Edges, node: int) -> Edges:
    """The two edges that lead into an intermediate node."""
    return edges[2 * node - 4 : 2 * node - 2]


@dataclass(frozen=True)
class Genotype:
    """Edges of the normal and of the reduction cell; edges 2i and 2i+1 lead into node i+2.

    A node is the sum of its two edges, the cell's output the concatenation of nodes 2 to 5. Raises EdgeError, which is
    an InputError, if an edge is impossible.
    """

    normal: Edges
    reduce: Edges

    def __post_init__(self) -> None:
        check_edges("normal", self.normal)
        check_edges("reduce", self.reduce)

    def __str__(self) -> str:
        concat = list(NODES)
        return (
            f"Genotype(normal={list(self.normal)}, normal_concat={concat}, "
            f"reduce={list(self.reduce)}, reduce_concat={concat})"
        )

    def replace(self, cell: str, position: int, edge: Edge) -> Genotype:
        """A copy in which `edge` is edge number `position` of `cell` ("normal" or "reduce")."""
        edges: Edges = getattr(self, cell)
        changed = (*edges[:position], edge, *edges[position + 1 :])
        return Genotype(changed, self.reduce) if cell == "normal" else Genotype(self.normal, changed)


def canonical_edges(edges: Edges) -> Edges:
    """The smallest of all valid renumberings of the intermediate nodes, with the two edges of each node sorted.

    A renumbering is valid if every edge, even a `none`, still comes from an earlier node; skip connections are not
    contracted. Tuples compare like the genotype's text, because no operation's name is the beginning of another's and a
    node is one digit. The algorithm gives each number in turn to the node with the smallest edges among those whose
    inputs have numbers; if several nodes have the same edges, it tries each of them.
    """

    def numbered(found: Edges, number: dict[int, int]) -> Edges:
        possible: dict[int, Edges] = {}
        for node in NODES:
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
