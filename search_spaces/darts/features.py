"""Graph features of a DARTS genotype: operations on the edges, paths, and the function that each cell computes."""

from __future__ import annotations

from functools import cache

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.darts.genotype import CELLS, NODES, OPERATIONS, Edges, Genotype, canonical_edges

_KIND_OF = {  # similar operations are one kind: paths under 127 subsets of operations would be too many features
    "skip_connect": "skip",
    "max_pool_3x3": "pool",
    "avg_pool_3x3": "pool",
    "sep_conv_3x3": "sep",
    "sep_conv_5x5": "sep",
    "dil_conv_3x3": "dil",
    "dil_conv_5x5": "dil",
}
_KINDS = graph.Kinds(("skip", "pool", "sep", "dil"), identities=frozenset({"skip"}), learned=frozenset({"sep", "dil"}))
_LABELS = [f"edge {position}" for position in range(8)]
_OUTPUT = 6
LONGEST_SEQUENCE = 2  # of kinds of operations on a path


@cache
def feature_names() -> list[str]:
    return [f"{cell} {name}" for cell in CELLS for name in _cell_features((("none", 0),) * 8)]


def features(genotype: Genotype) -> np.ndarray:
    """Features of the two canonical cells, one after the other, as a float32 vector; `feature_names` names them.

    For each cell: counts of operations; the operation of each edge as one-hot, and its input; the number of edges
    (other than `none`) out of each node; for every subset of kinds of operations and each input of the cell, the paths
    to the output with these kinds only: their number, shortest and longest length (0 if there are none); and, for the
    function that the cell computes, the live edges of each kind and the paths by their sequence of kinds.
    """
    cells = [_cell_features(canonical_edges(getattr(genotype, cell))) for cell in CELLS]
    return np.array([value for cell in cells for value in cell.values()], dtype=np.float32)


def _cell_features(edges: Edges) -> dict[str, float]:
    names = [name for name, _ in edges]
    arrows = [(s, NODES[number // 2], _KIND_OF[name]) for number, (name, s) in enumerate(edges) if name != "none"]
    written = graph.Graph((*arrows, *((node, _OUTPUT, graph.WIRE) for node in NODES)), nodes=_OUTPUT + 1, inputs=2)
    flow = graph.Flow(written, _KINDS)
    return graph.merged(
        graph.counts(names, OPERATIONS),
        graph.one_hot(names, OPERATIONS[1:], _LABELS),
        {f"input of edge {position}": float(source) for position, (_, source) in enumerate(edges)},
        {f"edges from node {node}": float(sum(source == node for source, _, _ in arrows)) for node in range(5)},
        graph.by_subset(written, _KINDS, degrees=False),
        graph.by_sequence(flow, _KINDS, inputs=2, longest=LONGEST_SEQUENCE),
        graph.live(flow, _KINDS),
    )
