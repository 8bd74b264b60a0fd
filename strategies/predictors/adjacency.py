"""The adjacency encoding of a cell: which nodes an edge connects, and by which operation, as 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from nas.search_spaces.base import SearchSpace

SAMPLES = 1_000  # architectures drawn to find the columns of a space

Column = tuple[str, str, str, str, int]  # cell, from node, to node, operation ("" for any), number of such an edge


def encode(space: SearchSpace[Any], archs: Sequence[Any]) -> np.ndarray:
    """(n, columns) of 0 and 1: for each pair of nodes whether there is an edge, and whether it has each operation.

    Parallel edges have columns of their own: the second column of a pair is 1 if it has a second edge. So
    |x - z|²/2 of two rows is the number of edges in which the cells differ, where one edge with another
    operation counts once: the distance of White et al., NeurIPS 2020 (arXiv:2007.04965), section 3. In a
    space whose `edges` do not say everything the rows are its `features`.

    The columns are those that 1,000 fixed draws of the space have, and an edge without a column is left out.
    """
    if not space.cells:
        return np.stack([space.features(arch) for arch in archs])
    columns = _columns(type(space))
    encoded = np.zeros((len(archs), len(columns)), dtype=np.float32)
    for row, arch in enumerate(archs):
        encoded[row, [columns[one] for one in _entries(space, arch) if one in columns]] = 1.0
    return encoded


@lru_cache(maxsize=4)
def encoder(kind: type[SearchSpace[Any]]) -> Callable[[Sequence[Any]], np.ndarray]:
    """`encode` for a kind of space: the same function each time, so that it can be the key of a cache."""
    space = kind()
    return lambda archs: encode(space, archs)


def distances(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(n, m): |x - z|²/2 of the rows of `x` (n, d) and `z` (m, d)."""
    x, z = x.astype(np.float64), z.astype(np.float64)
    both = (x * x).sum(axis=1)[:, None] + (z * z).sum(axis=1)
    return np.maximum(both / 2 - x @ z.T, 0.0)


@lru_cache(maxsize=4)
def _columns(kind: type[SearchSpace[Any]]) -> dict[Column, int]:
    """The columns of a space, sorted."""
    space, rng = kind(), Random(0)
    found = {one for _ in range(SAMPLES) for one in _entries(space, space.sample(rng))}
    return {one: number for number, one in enumerate(sorted(found))}


def _entries(space: SearchSpace[Any], arch: Any) -> list[Column]:
    """The columns in which an architecture has a 1."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    for cell, edges in space.edges(arch).items():
        for source, target, operation in edges:
            seen[cell, source, target, ""] += 1
            seen[cell, source, target, operation] += 1
    return [(*key, number) for key, times in seen.items() for number in range(times)]
