"""Graph features of a NASBench-101 cell: its matrix and operations, its paths, and the function that it computes."""

from __future__ import annotations

from functools import cache

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.nasbench101.cell import MAX_NODES, OPERATIONS, Cell

_KINDS = graph.Kinds(OPERATIONS, learned=frozenset({"conv3x3-bn-relu", "conv1x1-bn-relu"}))
_PLACES = [(a, b) for a in range(MAX_NODES) for b in range(a + 1, MAX_NODES)]
_LABELS = [f"edge into node {node}" for node in range(1, MAX_NODES - 1)]


@cache
def feature_names() -> list[str]:
    return list(_features(Cell(((0, 1),), ())))


def features(cell: Cell) -> np.ndarray:
    """Features of a cell as a float32 vector; `feature_names` names them.

    Of the cell as it is written: the entries of its matrix (the output is node 6 in every cell), the operation of each
    node as one-hot, counts of operations, edges and projections, and paths under every subset of operations. Of the
    function that it computes: blocks of `nas.search_spaces.graph`, in which an operation lies on an edge between the
    sum and the value of its node.
    """
    return np.fromiter(_features(cell).values(), dtype=np.float32)


def _features(cell: Cell) -> dict[str, float]:
    last = cell.output
    edges = {(a, MAX_NODES - 1 if b == last else b) for a, b in cell.edges}
    wires = [(2 * a, 2 * b - 1, graph.WIRE) for a, b in cell.edges]  # node v adds at 2v - 1 and has its value at 2v
    kinds = [(2 * node - 1, 2 * node, name) for node, name in enumerate(cell.operations, start=1)]
    written = graph.Graph((*wires, *kinds), nodes=2 * last)
    flow = graph.Flow(written, _KINDS)
    return graph.merged(
        {f"edge {a}-{b}": float((a, b) in edges) for a, b in _PLACES},
        graph.one_hot([*cell.operations, *[""] * (MAX_NODES - 1 - last)], OPERATIONS, _LABELS),
        graph.counts(cell.operations, OPERATIONS),
        {
            "nodes": float(last + 1),
            "edges": float(len(cell.edges)),
            "projections": float(sum(source == 0 for source, _ in cell.edges)),
            "parts of the output": float(sum(b == last and a > 0 for a, b in cell.edges)),
        },
        graph.by_subset(written, _KINDS, degrees=False),
        graph.by_sequence(flow, _KINDS),
        graph.extremes(flow, _KINDS),
        graph.roles(flow, _KINDS),
    )
