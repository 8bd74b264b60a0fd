"""Fronts, crowding and hypervolume against slow versions written from their definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from definitions import slow_crowding, slow_fronts

from nas.strategies.pareto import crowding, fronts, hypervolume, rank_sums, undominated


def draws(goals: int, count: int, levels: int) -> list[np.ndarray]:
    """Sets of rows with and without ties."""
    rng = np.random.default_rng(goals)
    return [rng.integers(0, levels, size=(rng.integers(1, 25), goals)).astype(float) for _ in range(count)]


@pytest.mark.parametrize("goals", [1, 2, 3])
@pytest.mark.parametrize("levels", [3, 1000])
def test_against_the_definitions(goals: int, levels: int) -> None:
    for rows in draws(goals, 60, levels):
        slow = slow_fronts(rows.tolist())
        assert fronts(rows) == slow
        assert undominated(rows).tolist() == slow[0]
        np.testing.assert_allclose(crowding(rows), slow_crowding(rows.tolist()), atol=1e-12)


@pytest.mark.parametrize("goals", [1, 3])
def test_sums_of_ranks_count_who_is_better(goals: int) -> None:
    for rows in draws(goals, 20, 4):
        counted = [int((rows > row).sum()) for row in rows]
        assert rank_sums(rows).tolist() == counted
        assert int(rank_sums(rows).argmin()) in undominated(rows)


@pytest.mark.parametrize("goals", [1, 2, 3, 4])
def test_hypervolume_counts_the_unit_cubes_below_the_rows(goals: int) -> None:
    for rows in draws(goals, 15, 5):
        cubes = itertools.product(range(5), repeat=goals)
        counted = sum(any(all(x > c for x, c in zip(row, cube)) for row in rows) for cube in cubes)
        assert hypervolume(rows, np.zeros(goals)) == pytest.approx(counted)


def test_hypervolume_of_nothing_and_of_what_does_not_reach_the_reference() -> None:
    assert hypervolume(np.empty((0, 2)), np.zeros(2)) == 0
    assert hypervolume(np.array([[1.0, 0.0], [0.5, -3.0]]), np.zeros(2)) == 0
    assert hypervolume(np.array([[2.0, 3.0]]), np.array([1.0, 1.0])) == 2
