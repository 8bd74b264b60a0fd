"""Acquisition functions against their integral and against many digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpmath import mp
from scipy import integrate, stats

from nas.core.limit import Limit, Limits
from nas.strategies.acquisition import (
    ACQUISITIONS,
    acquisition,
    expected_improvement,
    limit_penalty,
    log_expected_improvement,
    ranks,
    within_limits,
)


def test_expected_improvement_is_the_integral() -> None:
    for average, sd, best in ((0.0, 1.0, 0.5), (2.0, 0.3, 1.0), (-1.0, 2.0, 1.0)):
        density = stats.norm(average, sd).pdf
        expected, _ = integrate.quad(lambda v, b=best, p=density: (v - b) * p(v), best, average + 12 * sd)
        got = expected_improvement(np.array([average]), np.array([sd]), best)
        np.testing.assert_allclose(got, [expected], rtol=1e-6)
    sure = expected_improvement(np.array([1.5, 1.0, 0.5]), np.zeros(3), 1.0)
    np.testing.assert_allclose(sure, [0.5, 0, 0], atol=1e-12)


def exact(mean: float, sd: float, best: float) -> Any:
    """log(sd·φ(z) + (mean - best)·Φ(z)) with as many digits as the differences take."""
    with mp.workdps(120):
        gain = mp.mpf(mean) - mp.mpf(best)
        z = gain / mp.mpf(sd)
        return mp.log(mp.mpf(sd) * mp.npdf(z) + gain * mp.erfc(-z / mp.sqrt(2)) / 2)


@pytest.mark.parametrize("sd", [1e-9, 1.0, 3e7])
def test_log_expected_improvement_has_all_digits_far_in_the_tail(sd: float) -> None:
    """Expected improvement itself is 0 in floats from z = -38.5 on."""
    z = np.concatenate([np.linspace(-3, 8, 23), -np.geomspace(1, 1e7, 300), [-40, -99.999, -100.001, -1e12, 1e5]])
    mean, best = z * sd, 0.0
    got = log_expected_improvement(mean, np.full_like(z, sd), best)
    wanted = [float(exact(value, sd, best)) for value in mean]
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    at = np.flatnonzero(z == -40)
    assert expected_improvement(mean[at], np.array([sd]), best) == 0
    assert np.isfinite(got).all()


def test_log_expected_improvement_of_sure_answers() -> None:
    got = log_expected_improvement(np.array([3.0, 1.0, 0.5, -7.0]), np.zeros(4), 1.0)
    np.testing.assert_allclose(got, [np.log(2.0), -np.inf, -np.inf, -np.inf])
    for sd in (1e-320, 1e-200):  # z or its square is infinite
        got = log_expected_improvement(np.array([1.5, 1.0 - 1e-3]), np.full(2, sd), 1.0)
        np.testing.assert_allclose(got, [np.log(0.5), -np.inf])


def test_ranks_are_by_the_first_number_and_then_by_the_second() -> None:
    first = np.array([-np.inf, 2.0, -np.inf, -5.0, -np.inf, 2.0])
    second = np.array([1.0, 0.0, 3.0, 9.0, 1.0, 0.0])
    assert ranks(first, second).tolist() == [0, 3, 1, 2, 0, 3]


def test_the_penalty_of_a_limit_is_twice_the_probability_that_it_holds_if_that_is_below_one() -> None:
    limits = Limits((Limit("latency", "<=", 4.0), Limit("robust", ">", 0.5)))
    mean = np.array([[3.0, 0.6], [5.0, 0.6], [3.0, 0.2], [5.0, 0.2], [5.0, 0.6]])
    sd = np.array([[2.0, 0.3], [2.0, 0.3], [1.0, 0.3], [0.5, 0.1], [0.0, 0.3]])
    latency, robust = stats.norm.cdf((4 - 5) / 2.0), stats.norm.sf((0.5 - 0.2) / 0.3)
    both = stats.norm.cdf(-2.0) * stats.norm.sf(3.0)
    got = limit_penalty(limits, mean, sd)
    np.testing.assert_allclose(got, [0, np.log(2 * latency), np.log(2 * robust), np.log(4 * both), -np.inf])
    sure = limit_penalty(limits, np.array([[3.0, 0.6], [4.0, 0.6], [4.1, 0.6]]), np.zeros((3, 2)))
    assert sure.tolist() == [0, 0, -np.inf]
    assert np.isfinite(limit_penalty(limits, np.array([[4000.0, -900.0]]), np.full((1, 2), 0.1))).all()


def test_within_limits_the_expected_improvement_counts_times_twice_the_probability() -> None:
    worth, sd = np.array([50.0, 51.0, 70.0, 10.0, 10.0]), np.array([0.0, 2.0, 3.0, 0.0, 0.0])
    penalty = np.array([0.0, 0.0, np.log(0.03), 0.0, -2.0])
    improvement = expected_improvement(worth, sd, 50.0) * np.exp(penalty)
    assert improvement[1] > improvement[2] > 0 == improvement[0]
    # the last three are surely no better: the larger penalty first, then the larger worth
    assert np.argsort(-within_limits(worth, sd, 50.0, penalty)).tolist() == [1, 2, 0, 3, 4]
    assert np.argsort(-within_limits(worth, sd, 68.0, penalty)).tolist()[0] == 2
    # without an uncertainty, what is predicted to be within comes first, by worth
    sure = within_limits(np.array([1.0, 9.0, 5.0, 8.0]), np.zeros(4), 7.0, np.array([0.0, -np.inf, 0.0, 0.0]))
    assert np.argsort(-sure).tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_every_acquisition_counts_the_penalty(name: str) -> None:
    draws = np.random.default_rng(0)
    mean, sd, penalty = draws.normal(0, 2, 50), draws.uniform(0.1, 2, 50), -draws.exponential(2, 50)
    noise = np.random.default_rng(1).normal(mean, sd)
    centre = {"ei": mean, "mean": mean, "ucb": mean + 0.7 * sd, "thompson": noise}[name]
    got = acquisition(name, mean, sd, 1.0, 0.7, np.random.default_rng(1), penalty)
    wanted = log_expected_improvement(centre, sd, 1.0) + penalty
    assert np.argsort(got).tolist() == np.argsort(wanted).tolist()
