"""Graph features of a NAS-Bench-201 cell: operations on the edges, paths, and the function that it computes."""

from __future__ import annotations

from collections.abc import Sequence
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
    return four_node_features(cell, edges, OPERATIONS, _KINDS)


def four_node_features(
    cell: Cell, edges: tuple[tuple[int, int, str], ...], operations: Sequence[str], kinds: graph.Kinds
) -> dict[str, float]:
    """The features of a cell of four nodes, whose edges other than `none` are of these kinds."""
    written = graph.Graph(edges, nodes=4)
    flow = graph.Flow(written, kinds)
    return graph.merged(
        graph.one_hot(cell.operations, operations, _LABELS),
        graph.counts(cell.operations, operations),
        graph.by_subset(written, kinds),
        graph.by_sequence(flow, kinds),
        graph.live(flow, kinds),
        graph.extremes(flow, kinds),
        graph.roles(flow, kinds),
    )
