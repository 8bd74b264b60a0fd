"""Confidence intervals of 95 %: of a proportion, of the mean of clustered outcomes, and from resamples.

The formulas are written out: SciPy's module of statistics takes half a second to import, and every evaluation needs an
interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

import numpy as np

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)  # 1.96


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927): (p̂ + z²/2n ± z·√(p̂(1-p̂)/n + z²/4n²)) / (1 + z²/n).

    Raises `ValueError` unless 0 ≤ successes ≤ n and n > 0.
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"Expected 0 <= successes <= n and n > 0 but got {successes} of {n}.")
    p = successes / n
    middle = p + Z * Z / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + Z * Z / n) for sign in (-1, 1))
    return (0.0 if successes == 0 else low, 1.0 if successes == n else high)


def clustered_interval(correct: Sequence[int], versions: int) -> tuple[float, float]:
    """95 % interval of a mean accuracy over several versions (corruptions) of the same n images.

    `correct` holds, for each image, the number of its `versions` that are classified correctly. The versions of one
    image are not independent, but the images are: p̄ ± z·sd(share)/√n, cut to [0, 1], where an image's share is
    correct / versions. If all shares are equal (or n = 1), it is Wilson's interval of n images instead.
    """
    n, shares = len(correct), [count / versions for count in correct]
    mean = fmean(shares)
    if len(set(correct)) == 1:
        return wilson(round(mean * n), n)
    half = Z * stdev(shares) / math.sqrt(n)
    return max(0.0, mean - half), min(1.0, mean + half)


def percentile_interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the 95 % percentile interval along the first axis; NaN where every draw is NaN."""
    tail = 50 * (1 - LEVEL)
    undefined = np.isnan(draws).all(axis=0)
    low, high = np.nanpercentile(np.where(undefined, 0.0, draws), (tail, 100 - tail), axis=0)
    return np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
