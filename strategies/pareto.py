"""Domination among several goals."""

from __future__ import annotations

import numpy as np


def fronts(fitness: np.ndarray) -> list[list[int]]:
    """Rows of (n, goals) by front: the first is dominated by none, the next only by the fronts before it.

    A row dominates another that is nowhere better and somewhere worse; more is better. Rows of a front stand in the
    order given. Source: the fast non-dominated sort of Deb et al., IEEE TEVC 2002 (NSGA-II), section III.A.
    """
    better_or_equal = (fitness[:, None, :] >= fitness[None, :, :]).all(axis=2)
    dominates = better_or_equal & ~better_or_equal.T
    left = dominates.sum(axis=0)  # by how many each is dominated
    found: list[list[int]] = []
    while (front := np.flatnonzero(left == 0)).size:
        found.append(front.tolist())
        left = left - dominates[front].sum(axis=0)
        left[front] = -1
    return found
