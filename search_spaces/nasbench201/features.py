"""Graph features of a NAS-Bench-201 cell: operations on the edges, paths, and the function that it computes."""

from __future__ import annotations

from functools import cache

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell

_KINDS = graph.Kinds(
    OPERATIONS[1:], identities=frozenset({"skip_connect"}), learned=frozenset({"nor_conv_1x1", "nor_conv_3x3"})
)
_LABELS = [f"edge {a}-{b}" for a, b in EDGES]


@cache
def feature_names() -> list[str]:
    return list(_features(Cell(("none",) * 6)))


def features(cell: Cell) -> np.ndarray:
    """Features of a cell as a float32 vector; `feature_names` names them.

    Of the cell as it is written: the operation of each edge as one-hot, counts of operations, and paths and degrees
    under every subset of operations. Of the function that it computes: all blocks of `nas.search_spaces.graph`, which
    are equal for isomorphic cells.
    """
    return np.fromiter(_features(cell).values(), dtype=np.float32)


def _features(cell: Cell) -> dict[str, float]:
    edges = tuple((a, b, name) for (a, b), name in zip(EDGES, cell.operations) if name != "none")
    written = graph.Graph(edges, nodes=4)
    flow = graph.Flow(written, _KINDS)
    return graph.merged(
        graph.one_hot(cell.operations, OPERATIONS, _LABELS),
        graph.counts(cell.operations, OPERATIONS),
        graph.by_subset(written, _KINDS),
        graph.by_sequence(flow, _KINDS),
        graph.live(flow, _KINDS),
        graph.extremes(flow, _KINDS),
        graph.roles(flow, _KINDS),
    )
