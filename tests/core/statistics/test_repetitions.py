"""Tests over repetitions agree with closed forms and with a count over every choice of signs."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from random import Random
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy.special import stdtr

from nas.core.statistics.repetitions import (
    MAX_REPETITIONS,
    mean_and_deviation,
    median_interval,
    rank_sum,
    sign_flip,
    signed_rank,
    smallest_p,
    t_test,
    uniform_sum,
)


@pytest.mark.parametrize(
    ("values", "quantile", "tail"),
    [  # the 97.5 % quantile and the two-sided tail of Student's distribution with one, two and six degrees of freedom
        ([0.5, 0.25], math.tan(0.475 * math.pi), lambda t: 1 - 2 / math.pi * math.atan(t)),
        ([0.5, 0.25, -0.125], 0.95 * math.sqrt(2 / (1 - 0.95**2)), lambda t: 1 - t / math.sqrt(2 + t * t)),
        ([0.5, 0.25, -0.1, 0.3, 0.7, 0.2, 0.0], 2.446911851, lambda t: 2 * stdtr(6, -t)),
    ],
)
def test_t_test_is_students(values: list[float], quantile: float, tail: Callable[[float], float]) -> None:
    mean, error = fmean(values), stdev(values) / math.sqrt(len(values))
    test = t_test(values)
    assert test.mean == pytest.approx(mean)
    assert (test.t, test.p) == (pytest.approx(mean / error), pytest.approx(tail(mean / error)))
    assert (test.low, test.high) == (pytest.approx(mean - quantile * error), pytest.approx(mean + quantile * error))


@pytest.mark.parametrize("values", [[0.25], [0.1, 0.1, 0.1], [0.0, 0.0]])
def test_without_spread_there_is_no_t(values: list[float]) -> None:
    test = t_test(values)
    assert test.mean == pytest.approx(values[0])
    assert (test.low, test.high, test.t, test.p) == (None, None, None, None)


def test_deviation_has_n_minus_1() -> None:
    assert mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert mean_and_deviation([4.0]) == (4.0, None)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_sign_flip_counts_every_choice_of_signs(n: int) -> None:
    """The expected p is counted in exact arithmetic, with ties and zeros."""
    rng = Random(n)
    for _ in range(20):
        parts = [Fraction(rng.randint(-4, 4), 10) for _ in range(n)]
        sums = [abs(sum(sign * part for sign, part in zip(signs, parts))) for signs in product((1, -1), repeat=n)]
        expected = sum(value >= abs(sum(parts)) for value in sums) / 2**n
        assert sign_flip([float(part) for part in parts]) == expected


def test_the_smallest_p_is_reached_by_differences_of_one_sign() -> None:
    assert smallest_p(3) == 0.25
    for n in (1, 3, 6):
        assert sign_flip([0.1 * (i + 1) for i in range(n)]) == smallest_p(n)
    assert smallest_p(5) > 0.05 > smallest_p(6)


@pytest.mark.parametrize("n", [0, MAX_REPETITIONS + 1])
def test_a_number_that_cannot_be_gone_through_is_told(n: int) -> None:
    with pytest.raises(ValueError, match="differences"):
        sign_flip([1.0] * n)


def test_rank_tests_are_counts_over_all_orders() -> None:
    """Of 2^6 choices of signs and of C(6, 3) samples, two are as extreme as these."""
    assert signed_rank([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 2**6)
    assert signed_rank([0.0, 0.0, 0.0]) == 1
    assert rank_sum([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]) == pytest.approx(2 / 20)


def test_the_interval_of_a_median_takes_infinite_values() -> None:
    """It lies near the order statistics of the binomial interval: the 6th and 15th of 20 values."""
    values = np.arange(1.0, 21.0)
    low, high = median_interval(values)
    assert 5 <= low <= 7
    assert 13 <= high <= 15
    values[-8:] = np.inf
    assert median_interval(values)[0] == low
    assert median_interval(values)[1] == np.inf
    assert median_interval(np.array([3.0])) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("shares", "p"),
    [
        ([0.9], 0.2),
        ([0.3], 0.6),
        ([0.5], 1.0),
        ([0.25, 0.5], 0.75**2),
        ([1.0, 0.75], 0.25**2),
        ([0.9, 0.9, 0.8], 2 * 0.4**3 / 6),
        ([0.5, 0.5, 0.4], 2 * (1.4**3 - 3 * 0.4**3) / 6),
        ([1.0] * 8, 0.0),
    ],
)
def test_the_sum_of_uniform_shares_has_its_closed_form(shares: list[float], p: float) -> None:
    assert uniform_sum(shares) == pytest.approx(p)
    assert uniform_sum([1 - share for share in shares]) == pytest.approx(p)


def test_the_sum_of_uniform_shares_agrees_with_draws() -> None:
    drawn = np.random.default_rng(0).random((200_000, 5)).sum(1)
    assert uniform_sum([0.8, 0.7, 0.9, 0.6, 0.65]) == pytest.approx(2 * np.mean(drawn >= 3.65), rel=0.03)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        uniform_sum([1.2])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        uniform_sum([])
