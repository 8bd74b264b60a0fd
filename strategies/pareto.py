"""Pareto dominance for several goals: fronts, crowding distance, hypervolume."""

from __future__ import annotations

import numpy as np


def fronts(fitness: np.ndarray) -> list[list[int]]:
    """Rows of (n, goals) by front: the first is dominated by none, the next only by the fronts before it.

    A row dominates another that is nowhere better and somewhere worse; more is better. Rows of a front are in the order
    given. Source: the fast non-dominated sort of Deb et al., IEEE TEVC 2002 (NSGA-II), section III.A.
    """
    better_or_equal = (fitness[:, None, :] >= fitness[None, :, :]).all(axis=2)
    dominates = better_or_equal & ~better_or_equal.T
    left = dominates.sum(axis=0)  # by how many rows each row is dominated
    by_front: list[list[int]] = []
    while (front := np.flatnonzero(left == 0)).size:
        by_front.append(front.tolist())
        left = left - dominates[front].sum(axis=0)
        left[front] = -1
    return by_front


def rank_sums(fitness: np.ndarray) -> np.ndarray:
    """(n,): for each row of (n, goals), the number of rows that are better in a goal, summed over the goals."""
    better = [len(column) - np.searchsorted(np.sort(column), column, side="right") for column in fitness.T]
    return np.sum(better, axis=0)


def undominated(fitness: np.ndarray) -> np.ndarray:
    """The rows of (n, goals) that no other dominates, in the order given: the first of `fronts`, but faster."""
    rows: list[int] = []
    for row in np.argsort(-fitness.sum(axis=1), kind="stable"):  # what dominates a row has a larger sum
        others = fitness[rows]
        if not ((others >= fitness[row]).all(axis=1) & (others > fitness[row]).any(axis=1)).any():
            rows.append(int(row))
    return np.sort(np.array(rows, dtype=np.int64))


def crowding(fitness: np.ndarray) -> np.ndarray:
    """Crowding distance (n,) of the rows of one front (n, goals): how far apart the neighbours of each row are.

    The sum over goals of the difference between the next better and the next worse row, as a fraction of the range of
    the front; infinite for the best and the worst in a goal. A goal in which all rows are equal adds nothing. Source:
    Deb et al., IEEE TEVC 2002 (NSGA-II), section III.B.
    """
    distance = np.zeros(len(fitness))
    for values in fitness.T:
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        extent = ranked[-1] - ranked[0]
        if extent > 0:
            distance[order[1:-1]] += (ranked[2:] - ranked[:-2]) / extent
            distance[order[[0, -1]]] = np.inf
    return distance


def hypervolume(fitness: np.ndarray, reference: np.ndarray) -> float:
    """The volume that rows of (n, goals) dominate above the reference point; more is better.

    The sum over slices between neighbouring values of the last goal: the thickness of the slice times the volume, in
    the other goals, of the rows that reach it.
    """
    rows = fitness[(fitness > reference).all(axis=1)]
    if not len(rows):
        return 0.0
    if rows.shape[1] == 1:
        return float(rows.max() - reference[0])
    rows = rows[np.argsort(-rows[:, -1], kind="stable")]
    lower = np.append(rows[1:, -1], reference[-1])
    return sum(
        float(top - bottom) * hypervolume(rows[: number + 1, :-1], reference[:-1])
        for number, (top, bottom) in enumerate(zip(rows[:, -1], lower))
        if top > bottom
    )
