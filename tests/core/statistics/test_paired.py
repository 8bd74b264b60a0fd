"""Paired bootstrap, McNemar's test, Newcombe's interval and Holm's correction against exact counts."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from nas.core.statistics.intervals import wilson
from nas.core.statistics.paired import SIGNIFICANCE, holm, mcnemar, paired_bootstrap, paired_difference

RESAMPLES = 200_000


def _outcomes(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


def _exact(only_a: int, only_b: int, n: int) -> dict[int, float]:
    """The distribution of (only a - only b) over resamples of the images, from binomials: B ~ Bin(n, b), A | B."""
    found: dict[int, float] = {}
    p, q = only_a / n, only_b / n
    for drawn in range(n + 1):
        weight = binom.pmf(drawn, n, q)
        for other in range(n - drawn + 1):
            chance = weight * binom.pmf(other, n - drawn, p / (1 - q))
            found[other - drawn] = found.get(other - drawn, 0.0) + chance
    return found


@pytest.mark.parametrize(("only_a", "only_b"), [(12, 5), (7, 9), (3, 0), (20, 4)])
def test_bootstrap_is_the_exact_distribution_of_resampled_images(only_a: int, only_b: int) -> None:
    n = 60
    found = paired_bootstrap(*_outcomes(20, only_a, only_b, n - 20 - only_a - only_b), resamples=RESAMPLES)
    exact = _exact(only_a, only_b, n)
    below = sum(chance for d, chance in exact.items() if d <= 0)
    above = sum(chance for d, chance in exact.items() if d >= 0)
    p = min(1.0, 2 * min(below, above))
    assert found.p == pytest.approx(p, abs=5 * math.sqrt(p / RESAMPLES) + 2e-5)
    cumulated, ends = 0.0, []
    for d in sorted(exact):
        if cumulated < 0.025 <= cumulated + exact[d] or cumulated < 0.975 <= cumulated + exact[d]:
            ends.append(d / n)
        cumulated += exact[d]
    assert (found.low, found.high) == pytest.approx(ends, abs=1 / n + 1e-9)
    assert found.difference == pytest.approx((only_a - only_b) / n)


def test_bootstrap_of_counts_is_a_bootstrap_of_images() -> None:
    a, b = _outcomes(30, 14, 6, 10)
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(a), size=(20_000, len(a)))
    slow = np.array(a)[chosen].mean(1) - np.array(b)[chosen].mean(1)
    found = paired_bootstrap(a, b)
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, (2.5, 97.5)), abs=1 / len(a) + 1e-9)


def test_bootstrap_agrees_with_the_exact_test_where_there_is_enough_to_count() -> None:
    for only_a, only_b in ((80, 40), (60, 55), (30, 60)):
        outcomes = _outcomes(300, only_a, only_b, 200)
        found, exact = paired_bootstrap(*outcomes), mcnemar(*outcomes)
        assert found.p == pytest.approx(exact, rel=0.6, abs=0.08)
        assert (found.p < 0.05) == (exact < 0.05) == found.excludes_zero
        newcombe = paired_difference(*outcomes)
        assert (found.low, found.high) == pytest.approx((newcombe.low, newcombe.high), abs=0.01)


@pytest.mark.landing
def test_p_values_of_equal_models_are_uniform_enough() -> None:
    """At 5 %, two models of equal accuracy differ in about 5 of 100 studies, and in few more by either test."""
    rng = np.random.default_rng(1)
    bootstrap = exact = 0
    for number in range(800):
        counts = rng.multinomial(300, (0.5, 0.15, 0.15, 0.2))
        outcomes = _outcomes(*map(int, counts))
        bootstrap += paired_bootstrap(*outcomes, seed=number, resamples=4000).p < 0.05
        exact += mcnemar(*outcomes) < 0.05
    assert 0.03 <= bootstrap / 800 <= 0.075
    assert 0.015 <= exact / 800 <= 0.065


def test_swapping_the_models_turns_the_sign_and_keeps_p() -> None:
    a, b = _outcomes(20, 25, 10, 5)
    forward, backward = paired_bootstrap(a, b), paired_bootstrap(b, a)
    assert forward.difference == -backward.difference
    assert forward.p == pytest.approx(backward.p, rel=0.2)
    assert mcnemar(a, b) == mcnemar(b, a) == pytest.approx(binomtest(25, 35).pvalue)


def test_the_same_seed_gives_the_same_numbers() -> None:
    a, b = _outcomes(20, 25, 10, 5)
    assert paired_bootstrap(a, b, seed=4) == paired_bootstrap(a, b, seed=4)
    assert paired_bootstrap(a, b, seed=4).p != paired_bootstrap(a, b, seed=5).p


def test_the_smallest_p_is_that_of_100_000_resamples() -> None:
    """No resample is on the other side of 0, so that p is 2/100,001."""
    assert paired_bootstrap([True] * 40, [False] * 40).p == pytest.approx(2 / 100_001, rel=1e-9)
    assert paired_bootstrap([True] * 40, [False] * 40, resamples=99).p == pytest.approx(2 / 100)


def test_a_difference_is_shown_at_5_percent() -> None:
    assert SIGNIFICANCE == 0.05


def test_the_default_seed_is_0() -> None:
    outcomes = _outcomes(20, 25, 10, 5)
    assert paired_bootstrap(*outcomes) == paired_bootstrap(*outcomes, seed=0)


def test_the_bootstrap_interval_is_between_the_2_5_and_the_97_5_percentile() -> None:
    """With 1,000 images the difference is nearly normal: d ± 1.96·√(b + c - (b - c)²/n)/n."""
    found = paired_bootstrap(*_outcomes(400, 150, 100, 350))
    half = 1.959964 * math.sqrt(250 - 50**2 / 1000) / 1000
    assert (found.low, found.high) == pytest.approx((0.05 - half, 0.05 + half), abs=6e-4)


def test_equal_outcomes_show_nothing() -> None:
    found = paired_bootstrap([True, False] * 5, [True, False] * 5)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert mcnemar([True, False], [True, False]) == 1
    assert not found.excludes_zero


def test_a_few_differing_images_are_judged_by_the_exact_test() -> None:
    a, b = _outcomes(90, 4, 0, 6)
    assert paired_bootstrap(a, b).p < 0.05 < mcnemar(a, b) == pytest.approx(2 * 0.5**4)


@pytest.mark.parametrize("test", [paired_bootstrap, mcnemar, paired_difference])
def test_outcomes_of_other_images_are_refused(test: object) -> None:
    with pytest.raises(ValueError, match="same images"):
        test([True], [True, False])  # type: ignore[operator]
    with pytest.raises(ValueError, match="same images"):
        test([], [])  # type: ignore[operator]


def test_holm_is_the_step_down_procedure() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    rng = np.random.default_rng(2)
    values = rng.uniform(0, 0.1, 9).tolist()
    corrected = holm(values)
    for alpha in np.linspace(0.01, 0.3, 30):  # reject one by one, the smallest p first, until one is not rejected
        rejected = set()
        for rank, index in enumerate(np.argsort(values)):
            if values[index] > alpha / (len(values) - rank):
                break
            rejected.add(int(index))
        assert {index for index, value in enumerate(corrected) if value <= alpha} == rejected


def test_mcnemar_is_the_binomial_sum_of_the_rarer_side() -> None:
    for only_a, only_b in product(range(13), repeat=2):
        total = only_a + only_b
        tail = sum(Fraction(math.comb(total, k), 2**total) for k in range(min(only_a, only_b) + 1))
        exact = float(min(Fraction(1), 2 * tail))  # both sides are equally likely; an even split counts once
        for both, neither in ((0, 1), (7, 0), (30, 11)):
            assert mcnemar(*_outcomes(both, only_a, only_b, neither)) == pytest.approx(exact, rel=1e-12)
    assert mcnemar(*_outcomes(0, 6, 0, 0)) == pytest.approx(2 / 64)


def _closed_testing(values: list[float]) -> list[float]:
    """Holm by its other definition: i is rejected if Bonferroni's test rejects every set that contains i."""
    found = []
    for index in range(len(values)):
        others = [other for other in range(len(values)) if other != index]
        sets = [(index, *more) for size in range(len(values)) for more in combinations(others, size)]
        found.append(max(min(1.0, len(one) * min(values[i] for i in one)) for one in sets))
    return found


def test_holm_is_closed_testing_by_bonferroni() -> None:
    rng = np.random.default_rng(3)
    cases = [[0.01, 0.01, 0.01], [0.02, 0.01, 0.02, 0.01], [0.0, 0.0, 1.0], [1.0, 1.0], [0.03], [0.04, 0.5, 0.04, 0.2]]
    for count in range(1, 9):
        cases += [rng.uniform(0, 0.2, count).tolist(), rng.choice([0.004, 0.02, 0.03, 1.0], count).tolist()]
    for values in cases:
        found = holm(values)
        assert found == pytest.approx(_closed_testing(values))
        assert all(raw <= value <= 1 for raw, value in zip(values, found))
        for i, j in product(range(len(values)), repeat=2):
            if values[i] <= values[j]:
                assert found[i] <= found[j]  # equal p-values stay equal, and the order is kept


def test_paired_difference_without_correlation_is_newcombes_unpaired_form() -> None:
    """With phi = 0 the interval is d - sqrt((p1-l1)^2 + (u2-p2)^2), d + sqrt((u1-p1)^2 + (p2-l2)^2)."""
    a, b = _outcomes(24, 36, 16, 24)  # independent margins: .6 and .4
    (l1, u1), (l2, u2) = wilson(60, 100), wilson(40, 100)
    found = paired_difference(a, b)
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - math.hypot(0.6 - l1, u2 - 0.4))
    assert found.high == pytest.approx(0.2 + math.hypot(u1 - 0.6, 0.4 - l2))


def test_paired_difference_is_antisymmetric_and_sees_pairing() -> None:
    a, b = _outcomes(70, 10, 2, 18)
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low))
    unpaired = paired_difference(sorted(a), sorted(b, reverse=True))  # the same margins, pairing destroyed
    assert forward.high - forward.low < unpaired.high - unpaired.low


def test_an_interval_tells_whether_it_leaves_out_0_and_gives_no_verdict() -> None:
    small, large = paired_difference(*_outcomes(50, 3, 2, 45)), paired_difference(*_outcomes(40, 30, 2, 28))
    assert small.low < 0 < small.high
    assert not small.excludes_zero
    assert large.low > 0
    assert large.excludes_zero
    assert paired_difference(*_outcomes(40, 2, 30, 28)).excludes_zero  # below 0
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
    found = paired_difference(*_outcomes(*counts))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_newcombes_interval_of_every_table_of_nine_images() -> None:
    n = 9
    for both in range(n + 1):
        for only_a in range(n + 1 - both):
            for only_b in range(n + 1 - both - only_a):
                counts = (both, only_a, only_b, n - both - only_a - only_b)
                found = paired_difference(*_outcomes(*counts))
                assert (found.low, found.high) == pytest.approx(_newcombe(*counts), abs=1e-7), counts


def test_coverage_is_about_95_percent() -> None:
    """The interval contains the true difference in about 95 of 100 simulated studies of 100 images."""
    rng = np.random.default_rng(0)
    probabilities = (0.45, 0.25, 0.10, 0.20)  # correct under both, only a, only b, neither: true difference .15
    hits = 0
    for _ in range(2000):
        counts = rng.multinomial(100, probabilities)
        found = paired_difference(*_outcomes(*(int(count) for count in counts)))
        hits += found.low <= 0.15 <= found.high
    assert 0.935 <= hits / 2000 <= 0.975
