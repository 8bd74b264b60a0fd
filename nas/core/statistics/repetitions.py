"""Statistics of an experiment that was repeated with several seeds: the spread of a number, and paired tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

MAX_REPETITIONS = 20  # the sign-flip test computes 2^(n - 1) sums
ROUNDING = 1e-9  # relative: sums that differ by less count as equal


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and the standard deviation with n - 1 in the denominator (`None` for a single value)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class TTest:
    """Test of the hypothesis that the true mean difference is 0.

    `low` and `high` bound the 95 % interval of the mean d̄, `t` is d̄ / (s / √n), and `p` is the two-sided p-value. All
    four are `None` if all differences are equal or there is only one: the spread is unknown then.
    """

    mean: float
    low: float | None
    high: float | None
    t: float | None
    p: float | None


def t_test(differences: Sequence[float]) -> TTest:
    """Student's paired t-test of n differences, each between two numbers measured under the same conditions.

    Exact if the differences are normally distributed. Source: Student 1908, Biometrika 6, 1-25.
    """
    from scipy.stats import ttest_1samp  # imported here: it is slow, and every command and worker imports this module

    mean, deviation = mean_and_deviation(differences)
    if deviation is None or deviation <= ROUNDING * max(map(abs, differences)):
        return TTest(mean, None, None, None, None)
    test = ttest_1samp(differences, 0.0)
    low, high = test.confidence_interval(0.95)
    return TTest(mean, float(low), float(high), float(test.statistic), float(test.pvalue))


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p-value of the exact sign-flip permutation test that the differences are symmetric about 0.

    It is the share of the 2^n choices of signs whose |Σ ±d| is at least the observed |Σ d|, so never below 2^(1 - n):
    see `smallest_p`. SciPy's `permutation_test` gives the same number but takes a thousand times as long for 18
    differences. Raises `ValueError` for no differences and for more than `MAX_REPETITIONS`.
    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    if not 1 <= len(differences) <= MAX_REPETITIONS:
        raise ValueError(f"Expected 1 to {MAX_REPETITIONS} differences but got {len(differences)}.")
    sums = np.array([differences[0]], dtype=np.float64)  # the first sign stays: the other half mirrors these sums
    for difference in differences[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    least = abs(math.fsum(differences)) - ROUNDING * math.fsum(map(abs, differences))
    return float(np.mean(np.abs(sums) >= least))


def signed_rank(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of paired differences; 1 if all of them are 0.

    Source: Wilcoxon 1945, Biometrics Bulletin 1, 80-83.
    """
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if np.any(differences) else 1.0


def rank_sum(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p-value of the Mann-Whitney test of two samples that are not paired.

    Source: Mann and Whitney 1947, Annals of Mathematical Statistics 18, 50-60.
    """
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(one, other).pvalue)


def median_interval(values: np.ndarray, resamples: int = 4000) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the median of values (n,), which may be infinite.

    Of an even number of values the lower middle one counts, so that no mean of an infinite value is formed.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    drawn = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    medians = np.sort(np.sort(values[drawn], axis=1)[:, (len(values) - 1) // 2])
    return float(medians[int(0.025 * resamples)]), float(medians[int(0.975 * resamples) - 1])


def smallest_p(n: int) -> float:
    """The smallest p-value that `sign_flip` can return for n differences: 2^(1 - n), .25 for three, .031 for six."""
    return float(2.0 ** (1 - n))


def uniform_sum(shares: Sequence[float]) -> float:
    """Two-sided p-value that n independent shares, such as ranks from 0 to 1, are uniform on [0, 1], by their sum s.

    p = 2·min(P(S ≤ s), P(S ≥ s)), at most 1, with P(S ≤ s) = Σ (-1)^k·C(n, k)·(s - k)^n / n! over 0 ≤ k ≤ s, computed
    without rounding. It asks whether the shares are larger, or smaller, than those of random draws. Raises `ValueError`
    for no shares and for one that is outside [0, 1]. Source: Irwin 1927 and Hall 1927, Biometrika 19, 225-245.
    """
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"Expected shares in [0, 1] but got {list(shares)}.")
    n, total = len(shares), sum(map(Fraction, shares))
    smaller = min(total, n - total)  # the distribution is symmetric about n/2
    terms = ((-1) ** k * math.comb(n, k) * (smaller - k) ** n for k in range(math.floor(smaller) + 1))
    return min(1.0, float(2 * sum(terms, Fraction(0)) / math.factorial(n)))
