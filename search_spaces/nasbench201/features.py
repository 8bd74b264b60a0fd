"""Graph features of a NAS-Bench-201 cell: what stands on the edges, which paths it leaves, what it computes."""

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
    """float32 vector: of the cell as written the one-hot of each edge, counts, and paths and degrees under every
    subset of operations; then of the function it computes all blocks of `nas.search_spaces.graph`, which the members
    of an isomorphism class share. See `feature_names`.
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
