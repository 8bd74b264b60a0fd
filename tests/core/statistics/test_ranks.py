"""Rank statistics against closed forms and slow independent code."""

from __future__ import annotations

import math
import warnings
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats

from nas.core.statistics.intervals import percentile_interval
from nas.core.statistics.ranks import (
    Estimate,
    bootstrap_spearman,
    kendall,
    partial,
    spearman,
    spearman_difference,
    spearman_matrix,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def slow_ranks(values: np.ndarray) -> np.ndarray:
    """The rank of a value: the number of smaller ones, plus half of the others that are equal."""
    return np.array(
        [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]
    )


def slow_spearman(x: np.ndarray, y: np.ndarray) -> float:
    a, b = slow_ranks(x), slow_ranks(y)
    return float(np.corrcoef(a, b)[0, 1])


def slow_kendall(x: np.ndarray, y: np.ndarray) -> float:
    pairs = list(combinations(range(len(x)), 2))
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in pairs]
    untied_x, untied_y = sum(a != 0 for a, _ in signs), sum(b != 0 for _, b in signs)
    return float(sum(a * b for a, b in signs) / math.sqrt(untied_x * untied_y))


def interval(x: ArrayLike, y: ArrayLike, resamples: int, seed: int = 0) -> Estimate:
    low, high = percentile_interval(bootstrap_spearman([x], [y], resamples, seed)[:, 0, 0])
    return Estimate(spearman(x, y), float(low), float(high))


def partial_spearman(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> float:
    return float(partial(spearman(x, y), spearman(x, z), spearman(y, z)))


def tied(rng: np.random.Generator, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    x = rng.integers(0, 8, n).astype(float)
    return x, np.round(x + rng.normal(0, 4, n))


def test_without_ties_it_is_the_closed_form(rng: np.random.Generator) -> None:
    x, y = rng.permutation(40), rng.permutation(40)
    expected = 1 - 6 * ((x - y) ** 2).sum() / (40 * (40**2 - 1))
    assert spearman(x, y) == pytest.approx(expected, abs=1e-14)
    assert spearman(x, x) == 1
    assert spearman(x, -x) == -1
    assert kendall(x, -x) == pytest.approx(-1)


def test_ties_get_average_ranks(rng: np.random.Generator) -> None:
    assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(math.sqrt(3) / 2)
    assert kendall([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / math.sqrt(6))
    x, y = tied(rng)
    assert spearman(x, y) == pytest.approx(slow_spearman(x, y), abs=1e-12)
    assert kendall(x, y) == pytest.approx(slow_kendall(x, y), abs=1e-12)
    assert spearman(np.exp(x), y**3) == pytest.approx(spearman(x, y), abs=1e-14), "only the order counts"


def test_all_pairs_at_once(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 9, (3, 50)), rng.integers(0, 9, (4, 50))
    expected = [[slow_spearman(a, b) for b in y] for a in x]
    np.testing.assert_allclose(spearman_matrix(x, y), expected, atol=1e-12)


def test_a_constant_has_no_ranking() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, same = np.arange(5.0), np.ones(5)
        assert math.isnan(spearman(x, same))
        assert math.isnan(kendall(x, same))
        found = interval(x, same, 50)
        assert all(map(math.isnan, found))
        assert math.isnan(partial_spearman(x, same, x[::-1] ** 2))


@pytest.mark.parametrize("bad", [[1.0, 2.0], [1.0, math.nan, 2.0], [1.0, math.inf, 2.0], [[1.0, 2.0, 3.0]]])
def test_values_that_cannot_be_ranked_together(bad: list[float]) -> None:
    with pytest.raises(ValueError):
        spearman([1, 2, 3], bad)
    with pytest.raises(ValueError):
        spearman([1], [1])


def test_every_resample_is_ranked_afresh(rng: np.random.Generator) -> None:
    x, y = tied(rng)
    other = rng.normal(size=60)
    found = bootstrap_spearman([x, other], [y], 30, seed=3)
    again = np.random.default_rng(3)
    for draw in found:
        rows = again.integers(60, size=60)
        assert draw[0, 0] == pytest.approx(stats.spearmanr(x[rows], y[rows]).statistic, abs=1e-12)
        assert draw[1, 0] == pytest.approx(stats.spearmanr(other[rows], y[rows]).statistic, abs=1e-12)


def test_groups_are_drawn_whole(rng: np.random.Generator) -> None:
    x, y = tied(rng)
    groups = np.repeat(np.arange(20) * 7, 3)
    found = bootstrap_spearman([x], [y], 20, seed=5, groups=groups)
    again = np.random.default_rng(5)
    for draw in found:
        rows = np.concatenate([np.flatnonzero(groups == 7 * group) for group in again.integers(20, size=20)])
        assert draw[0, 0] == pytest.approx(stats.spearmanr(x[rows], y[rows]).statistic, abs=1e-12)
    single = bootstrap_spearman([x], [y], 20, seed=5, groups=rng.permutation(60))
    assert single.std() > 0


def test_the_seed_decides_and_nothing_else(rng: np.random.Generator) -> None:
    x, y = tied(rng)
    first = bootstrap_spearman([x], [y], 40, seed=1)
    np.testing.assert_array_equal(first, bootstrap_spearman([x], [y], 40, seed=1))
    np.testing.assert_allclose(first[:, 0], bootstrap_spearman([y, x], [y], 40, seed=1)[:, 1], atol=1e-12)
    assert not np.array_equal(first, bootstrap_spearman([x], [y], 40, seed=2))


@pytest.mark.landing
def test_the_interval_covers_the_truth(rng: np.random.Generator) -> None:
    """Of a bivariate normal distribution, rho = 6/pi asin(r/2)."""
    r = 0.6
    truth = 6 / math.pi * math.asin(r / 2)
    covered = 0
    for number in range(150):
        x = rng.normal(size=120)
        y = r * x + math.sqrt(1 - r * r) * rng.normal(size=120)
        found = interval(x, y, 200, seed=number)
        assert found.low <= found.value <= found.high
        covered += found.low <= truth <= found.high
    assert 0.88 <= covered / 150 <= 0.99


def test_a_paired_difference_is_sharper_than_two_intervals(rng: np.random.Generator) -> None:
    y = rng.normal(size=300)
    common = y + rng.normal(size=300)
    first, second = common + 0.05 * rng.normal(size=300), common + 0.3 * rng.normal(size=300)
    paired = spearman_difference(first, second, y, 400)
    apart = [interval(values, y, 400) for values in (first, second)]
    assert paired.value == pytest.approx(apart[0].value - apart[1].value)
    assert paired.high - paired.low < 0.5 * sum(found.high - found.low for found in apart) / 2
    assert spearman_difference(first, first, y, 50) == (0, 0, 0)


def test_partial_is_the_correlation_of_what_z_leaves(rng: np.random.Generator) -> None:
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), np.round(z + rng.normal(size=200))
    ranks = [stats.rankdata(values) for values in (x, y, z)]
    left = [values - np.polyval(np.polyfit(ranks[2], values, 1), ranks[2]) for values in ranks[:2]]
    assert partial_spearman(x, y, z) == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-12)
    assert abs(partial_spearman(x, y, z)) < 0.25 < spearman(x, y)


def test_nothing_is_left_of_the_third_variable_itself(rng: np.random.Generator) -> None:
    z = rng.normal(size=30)
    y = rng.normal(size=30)
    for same in (z, -z, np.exp(z)):
        assert math.isnan(partial_spearman(same, y, z))
    assert partial(0.5, 0.0, 0.0) == 0.5
    np.testing.assert_allclose(
        partial([0.5, 0.72], [0.9, 0.9], [0.8, 0.8]), [-0.22 / 0.6 / math.sqrt(0.19), 0.0], atol=1e-12
    )
