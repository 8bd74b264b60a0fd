"""Acquisition functions against their integral and against many digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpmath import mp
from scipy import integrate, stats

from nas.strategies.acquisition import expected_improvement, log_expected_improvement, ranks


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
