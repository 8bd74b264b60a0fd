"""An experiment that was repeated with several seeds: spread of a quantity, and paired tests of a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_REPETITIONS = 20  # the sign-flip test goes through 2^(n - 1) sums
ROUNDING = 1e-9  # relative; sums that differ by less are equal


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and standard deviation with n - 1 in the denominator; the latter needs two values (`None` otherwise)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class TTest:
    """Whether a mean difference d̄ is 0: its 95 % interval, t = d̄ / (s / √n), and the two-sided p-value of that.

    The last four are `None` where all values are the same (or there is one): nothing tells their spread then.
    """

    mean: float
    low: float | None
    high: float | None
    t: float | None
    p: float | None


def t_test(differences: Sequence[float]) -> TTest:
    """Student's paired test: of n differences between two things that were measured under the same conditions.

    Exact for normal differences. Source: Student 1908, Biometrika 6, 1-25.
    """
    from scipy.special import stdtr, stdtrit  # here: every command and worker imports this module

    mean, deviation = mean_and_deviation(differences)
    if deviation is None or deviation <= ROUNDING * max(map(abs, differences)):
        return TTest(mean, None, None, None, None)
    error, freedom = deviation / math.sqrt(len(differences)), len(differences) - 1
    reach = float(stdtrit(freedom, 0.975)) * error
    t = mean / error
    return TTest(mean, mean - reach, mean + reach, t, float(2 * stdtr(freedom, -abs(t))))


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p-value of the exact sign-flip permutation test that differences are symmetric about 0.

    The share of the 2^n ways to choose signs whose |Σ ±d| is at least the observed |Σ d|. Never below 2^(1 - n): see
    `smallest_p`. Raises `ValueError` for none or more than `MOST_REPETITIONS` differences.
    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    if not 1 <= len(differences) <= MOST_REPETITIONS:
        raise ValueError(f"Expected 1 to {MOST_REPETITIONS} differences but got {len(differences)}.")
    sums = np.array([differences[0]], dtype=np.float64)  # the first sign can stay: the other half mirrors this one
    for difference in differences[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    least = abs(math.fsum(differences)) - ROUNDING * math.fsum(map(abs, differences))
    return float(np.mean(np.abs(sums) >= least))


def smallest_p(n: int) -> float:
    """The smallest p-value that `sign_flip` can give for n differences: 2^(1 - n), .25 for three, .031 for six."""
    return float(2.0 ** (1 - n))
