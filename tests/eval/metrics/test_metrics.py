"""Accuracies' intervals, HRS and paired differences against closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from nas.eval import hrs, paired_difference, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (97, 100), (100, 100), (1234, 10000)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_the_impossible(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(k, n)


def test_hrs_is_the_harmonic_mean() -> None:
    assert hrs(0.9, 0.6) == pytest.approx(2 / (1 / 0.9 + 1 / 0.6))
    assert hrs(0.9, 0.0) == 0.0
    assert hrs(0.0, 0.0) == 0.0
    assert hrs(0.7, 0.7) == pytest.approx(0.7)


def _pair(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def test_paired_difference_without_correlation_is_newcombes_unpaired_form() -> None:
    """With phi = 0 the interval is d - sqrt((p1-l1)^2 + (u2-p2)^2), d + sqrt((u1-p1)^2 + (p2-l2)^2)."""
    a, b = _pair(24, 36, 16, 24)  # independent margins: .6 and .4
    (l1, u1), (l2, u2) = wilson(60, 100), wilson(40, 100)
    found = paired_difference(a, b)
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - math.hypot(0.6 - l1, u2 - 0.4))
    assert found.high == pytest.approx(0.2 + math.hypot(u1 - 0.6, 0.4 - l2))


def test_paired_difference_is_antisymmetric_and_sees_pairing() -> None:
    a, b = _pair(70, 10, 2, 18)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))
    unpaired = paired_difference(sorted(a), sorted(b, reverse=True))  # the same margins, pairing destroyed
    assert forward.high - forward.low < unpaired.high - unpaired.low


def test_an_interval_tells_whether_it_leaves_out_0_and_gives_no_verdict() -> None:
    small, large = paired_difference(*_pair(50, 3, 2, 45)), paired_difference(*_pair(40, 30, 2, 28))
    assert small.low < 0 < small.high
    assert not small.excludes_zero
    assert large.low > 0
    assert large.excludes_zero
    assert paired_difference(*_pair(40, 2, 30, 28)).excludes_zero  # below 0
    assert not hasattr(large, "shown")


def test_identical_outcomes_give_an_interval_around_0() -> None:
    found = paired_difference([True] * 10, [True] * 10)
    assert found.difference == 0
    assert found.low < 0 < found.high


Z = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


def _roots(k: int, n: int) -> tuple[float, float]:
    """Wilson's interval: the solutions p of (p - k/n)² = z²·p·(1 - p)/n."""
    return tuple(sorted(np.roots([1 + Z**2 / n, -(2 * k + Z**2) / n, (k / n) ** 2]).real))  # type: ignore[return-value]


def _newcombe(both: int, only_a: int, only_b: int, neither: int) -> tuple[float, float]:
    """Method 10 as its paper writes it, with the matrix [[1, -φ], [-φ, 1]] of the two distances."""
    n = both + only_a + only_b + neither
    p, q = (both + only_a) / n, (both + only_b) / n
    (l1, u1), (l2, u2) = _roots(both + only_a, n), _roots(both + only_b, n)
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    excess = both * neither - only_a * only_b
    corrected = min(excess, 0) if excess <= n / 2 else excess - n / 2
    phi = corrected / math.sqrt(product) if product else 0.0
    matrix = np.array([[1, -phi], [-phi, 1]])
    below, above = np.array([p - l1, u2 - q]), np.array([u1 - p, q - l2])
    return p - q - math.sqrt(below @ matrix @ below), p - q + math.sqrt(above @ matrix @ above)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Altman, Machin, Bryant and Gardner 2000, Statistics with Confidence, table 6.2:
        # φ = (14·22 - 0·5 - 41/2)/√(19·22·14·27) = .7233, intervals .3206 to .6125 and .2156 to .4945
        ((14, 5, 0, 22), 0.0115, 0.2265),
        # ad - bc = 5 is less than n/2 = 10.5, so that φ = 0 (Bentur et al. 2009)
        ((1, 1, 7, 12), -0.5069, -0.0256),
        ((59, 6, 16, 80), -0.1186, -0.0046),  # φ = .7162 (Cavo et al. 2012)
        ((0, 29, 7, 18), 0.2006, 0.5718),  # φ = -7·29/√(29·25·7·47) = -.4157, without a correction
        ((41, 10, 40, 9), -0.4171, -0.1691),  # φ = -.0158, without a correction although it is small
    ],
)
def test_newcombes_interval_of_published_tables(counts: tuple[int, ...], low: float, high: float) -> None:
    found = paired_difference(*_pair(*counts))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_newcombes_interval_of_every_table_of_nine_images() -> None:
    n = 9
    for both in range(n + 1):
        for only_a in range(n + 1 - both):
            for only_b in range(n + 1 - both - only_a):
                counts = (both, only_a, only_b, n - both - only_a - only_b)
                found = paired_difference(*_pair(*counts))
                assert (found.low, found.high) == pytest.approx(_newcombe(*counts), abs=1e-7), counts


def test_coverage_is_about_95_percent() -> None:
    """The interval holds the true difference in about 95 of 100 simulated studies of 100 images."""
    rng = np.random.default_rng(0)
    probabilities = (0.45, 0.25, 0.10, 0.20)  # both, only a, only b, neither: true difference .15
    hits = 0
    for _ in range(2000):
        counts = rng.multinomial(100, probabilities)
        found = paired_difference(*_pair(*(int(count) for count in counts)))
        hits += found.low <= 0.15 <= found.high
    assert 0.935 <= hits / 2000 <= 0.975
