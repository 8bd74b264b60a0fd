"""Plain graph features of a NAS-Bench-201 cell: what stands on the edges and which paths it leaves."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell

_PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # edge numbers of every route from node 0 to node 3
_SUBSETS = tuple(
    subset for size in range(1, 5) for subset in combinations(OPERATIONS[1:], size)
)  # of allowed operations


@cache
def feature_names() -> list[str]:
    names = [f"edge {a}-{b} is {name}" for a, b in EDGES for name in OPERATIONS]
    names += [f"count {name}" for name in OPERATIONS]
    for subset in _SUBSETS:
        allowed = "+".join(subset)
        names += [f"paths {allowed}", f"shortest path {allowed}", f"longest path {allowed}"]
        names += [f"degree of node {node} {allowed}" for node in range(4)]
    return names


def features(cell: Cell) -> np.ndarray:
    """float32 vector: one-hot of each edge, counts, and for every subset of allowed operations the number, shortest
    and longest length of input–output paths made of it alone (0 where there is none) and each node's degree.

    Source: the graph features of Jung et al.'s line of work on predicting robustness; see `feature_names`.
    """
    ops = cell.operations
    values: list[float] = [float(operation == name) for operation in ops for name in OPERATIONS]
    values += [float(ops.count(name)) for name in OPERATIONS]
    for subset in _SUBSETS:
        lengths = [len(path) for path in _PATHS if all(ops[edge] in subset for edge in path)]
        values += [len(lengths), min(lengths, default=0), max(lengths, default=0)]
        for node in range(4):
            values.append(sum(node in edge and name in subset for edge, name in zip(EDGES, ops)))
    return np.array(values, dtype=np.float32)
