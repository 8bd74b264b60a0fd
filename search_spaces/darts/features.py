"""Plain graph features of a DARTS genotype: what stands on the edges and which paths it leaves."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np

from nas.search_spaces.darts.genotype import CELLS, NODES, OPERATIONS, Edges, Genotype, canonical_edges, pair

_KINDS = {  # like operations count as one here, or there would be 127 subsets of allowed ones
    "skip": ("skip_connect",),
    "pool": ("max_pool_3x3", "avg_pool_3x3"),
    "sep": ("sep_conv_3x3", "sep_conv_5x5"),
    "dil": ("dil_conv_3x3", "dil_conv_5x5"),
}
_SUBSETS = tuple(subset for size in range(1, 5) for subset in combinations(_KINDS, size))
_ALLOWED = tuple(frozenset(name for kind in subset for name in _KINDS[kind]) for subset in _SUBSETS)


@cache
def feature_names() -> list[str]:
    names = [f"count {name}" for name in OPERATIONS]
    names += [f"edge {position} is {name}" for position in range(8) for name in OPERATIONS]
    names += [f"input of edge {position}" for position in range(8)]
    names += [f"edges from node {node}" for node in range(5)]
    for subset in _SUBSETS:
        for source in (0, 1):
            tail = f"{'+'.join(subset)} from {source}"
            names += [f"paths {tail}", f"shortest path {tail}", f"longest path {tail}"]
    return [f"{cell} {name}" for cell in CELLS for name in names]


def features(genotype: Genotype) -> np.ndarray:
    """float32 vector of the canonical cells, one after the other: operation counts, one-hot of each edge, its
    input, edges (other than `none`) out of each node, and for every subset of kinds of operations and each of
    the cell's inputs the number, shortest and longest length of paths to the output made of them (0: none).
    """
    values: list[float] = []
    for cell in CELLS:
        values += _cell_features(canonical_edges(getattr(genotype, cell)))
    return np.array(values, dtype=np.float32)


def _cell_features(edges: Edges) -> list[float]:
    names = [name for name, _ in edges]
    values: list[float] = [float(names.count(name)) for name in OPERATIONS]
    values += [float(name == other) for name in names for other in OPERATIONS]
    values += [float(source) for _, source in edges]
    values += [float(sum(s == node and name != "none" for name, s in edges)) for node in range(5)]
    for allowed in _ALLOWED:
        for source in (0, 1):
            lengths = _path_lengths(edges, allowed, source)
            values += [len(lengths), min(lengths, default=0), max(lengths, default=0)]
    return values


def _path_lengths(edges: Edges, allowed: frozenset[str], source: int) -> list[int]:
    """The number of operations on each path from a cell input to the output; at most 15 paths."""
    reaching: dict[int, list[int]] = {0: [], 1: [], source: [0]}
    for node in NODES:
        into = [s for name, s in pair(edges, node) if name in allowed]
        reaching[node] = [length + 1 for s in into for length in reaching[s]]
    return [length for node in NODES for length in reaching[node]]
