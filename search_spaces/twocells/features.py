"""Graph features of two cells: operations on the edges, paths, and the function that each cell computes."""

from __future__ import annotations

from functools import cache

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.twocells.cell import CELLS, Edges, canonical_edges, inner_nodes
from nas.search_spaces.twocells.family import Family

_KIND_OF = {  # similar operations are one kind: paths under all subsets of operations would be too many features
    "skip_connect": "skip",
    "max_pool": "pool",
    "avg_pool": "pool",
    "sep_conv": "sep",
    "dil_sep_conv": "sep",
    "dil_conv": "dil",
    "conv": "conv",
    "conv_3x1": "conv",
    "conv_7x1": "conv",
}
LONGEST_SEQUENCE = 2  # of kinds of operations on a path


def kind_of(operation: str) -> str:
    """The kind of an operation other than `none`: `skip`, `pool`, `sep`, `dil` or `conv`."""
    return _KIND_OF.get(operation) or _KIND_OF[operation.rpartition("_")[0]]


@cache
def _kinds(family: Family) -> graph.Kinds:
    """The kinds of the operations of a family."""
    found = {kind_of(name) for name in family.operations if name != "none"}
    names = tuple(kind for kind in ("skip", "pool", "sep", "dil", "conv") if kind in found)
    return graph.Kinds(names, identities=frozenset({"skip"}), learned=frozenset({"sep", "dil", "conv"} & found))


@cache
def feature_names(family: Family, subsets: bool) -> list[str]:
    """The name of each entry of `features`."""
    empty = (("skip_connect", 0),) * (2 * family.count)
    return [f"{cell} {name}" for cell in CELLS for name in _cell_features(family, empty, subsets)]


def features(family: Family, normal: Edges, reduce: Edges, subsets: bool) -> np.ndarray:
    """Features of the two canonical cells, one after the other, as a float32 vector; `feature_names` names them.

    For each cell: counts of operations; the operation of each edge as one-hot (the first operation is all zeros), and
    its input; the number of edges (other than `none`) out of each node; with `subsets`, for every subset of kinds of
    operations and each input of the cell, the paths to the output with these kinds only: their number, shortest and
    longest length (0 if there are none); and, for the function that the cell computes, the live edges of each kind and
    the paths by their sequence of kinds.
    """
    cells = [_cell_features(family, canonical_edges(edges), subsets) for edges in (normal, reduce)]
    return np.array([value for cell in cells for value in cell.values()], dtype=np.float32)


def _cell_features(family: Family, edges: Edges, subsets: bool) -> dict[str, float]:
    kinds, cell = _kinds(family), family.cell(edges)
    names = [name for name, _ in edges]
    labels = [f"edge {position}" for position in range(len(edges))]
    arrows = _arrows(edges)
    output = 2 + family.count
    written = graph.Graph((*arrows, *((node, output, graph.WIRE) for node in cell.concat)), nodes=output + 1, inputs=2)
    flow = graph.Flow(written, kinds)
    return graph.merged(
        graph.counts(names, family.operations),
        graph.one_hot(names, family.operations[1:], labels),
        {f"input of edge {position}": float(source) for position, (_, source) in enumerate(edges)},
        {
            f"edges from node {node}": float(sum(source == node for source, _, _ in arrows))
            for node in range(output - 1)
        },
        graph.by_subset(written, kinds, degrees=False) if subsets else {},
        graph.by_sequence(flow, kinds, inputs=2, longest=LONGEST_SEQUENCE),
        graph.live(flow, kinds),
    )


def _arrows(edges: Edges) -> list[tuple[int, int, str]]:
    """(from node, to node, kind) of each edge other than `none`."""
    nodes = inner_nodes(edges)
    return [
        (source, nodes[number // 2], kind_of(name)) for number, (name, source) in enumerate(edges) if name != "none"
    ]
