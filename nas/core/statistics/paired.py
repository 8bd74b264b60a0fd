"""Two models on the same images: the difference of their accuracies with its interval, and the tests for a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nas.core.statistics.intervals import percentile_interval, wilson

SIGNIFICANCE = 0.05  # a difference is significant if its p-value, corrected by `holm`, is below this level


@dataclass(frozen=True)
class Paired:
    """Difference of two accuracies on the same images, with its 95 % interval.

    The interval is that of a single comparison. Among many comparisons, 5 % exclude 0 by chance, so the interval is not
    a verdict: see `holm`.
    """

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Bootstrapped(Paired):
    """`Paired` with the two-sided p-value of the hypothesis that the accuracies are equal."""

    p: float


class Pairs(NamedTuple):
    """Numbers of images that both models, only the first, only the second or neither of them classifies correctly."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @classmethod
    def of(cls, a: Sequence[bool], b: Sequence[bool]) -> Pairs:
        """Count the images. Raises `ValueError` unless both models have outcomes of the same images."""
        if len(a) != len(b) or not a:
            raise ValueError(f"Expected outcomes on the same images but got {len(a)} and {len(b)}.")
        both = sum(bool(x and y) for x, y in zip(a, b))
        only_a, only_b = sum(map(bool, a)) - both, sum(map(bool, b)) - both
        return cls(both, only_a, only_b, len(a) - both - only_a - only_b)


def paired_difference(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """Accuracy of `a` minus that of `b` over the same images: Newcombe's square-and-add score interval.

    With the Wilson intervals (l₁, u₁), (l₂, u₂) of both proportions and φ their (continuity-corrected) correlation,
    the interval is d ∓ √(δ² - 2φδε + ε²), where δ and ε are distances of the two accuracies to their bounds: to l₁
    and u₂ for the lower end, to u₁ and l₂ for the upper end. Raises `ValueError` unless both have outcomes of the same
    images.
    Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    both, only_a, only_b, neither = Pairs.of(a, b)
    n = len(a)
    correct_a, correct_b = both + only_a, both + only_b
    p_a, p_b = correct_a / n, correct_b / n
    (low_a, high_a), (low_b, high_b) = wilson(correct_a, n), wilson(correct_b, n)
    margins = math.sqrt(correct_a * (only_b + neither) * correct_b * (only_a + neither))
    agreement: float = both * neither - only_a * only_b
    if agreement > 0:
        agreement = max(agreement - n / 2, 0)
    phi = agreement / margins if margins else 0.0
    d = p_a - p_b

    def distance(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

    return Paired(d, d - distance(p_a - low_a, high_b - p_b), d + distance(high_a - p_a, p_b - low_b))


def paired_bootstrap(a: Sequence[bool], b: Sequence[bool], seed: int = 0, resamples: int = 100_000) -> Bootstrapped:
    """Accuracy of `a` minus that of `b`, with interval and p-value from resamples of the images.

    An image is drawn together with the outcomes of both models. Among n images drawn with replacement, the numbers on
    which only `a` or only `b` is correct are multinomial with the observed shares, so they are drawn directly. The
    interval is the 95 % percentile interval; p = 2·min(1 + #{d* ≤ 0}, 1 + #{d* ≥ 0}) / (resamples + 1), at most 1: the
    level at which the percentile interval first reaches 0. If the models differ on few images, the interval is too
    narrow and p too small; see `mcnemar`. Raises `ValueError` unless both have outcomes of the same images.
    Source: Efron and Tibshirani 1993, sections 13.3 and 16.4.
    """
    pairs = Pairs.of(a, b)
    n = len(a)
    shares = [pairs.only_a / n, pairs.only_b / n, (pairs.both + pairs.neither) / n]
    drawn = np.random.default_rng(seed).multinomial(n, shares, size=resamples)  # (resamples, 3)
    differences = drawn[:, 0] - drawn[:, 1]  # in images
    low, high = percentile_interval(differences)
    tail = min(np.count_nonzero(differences <= 0), np.count_nonzero(differences >= 0))
    p = min(1.0, 2 * (1 + int(tail)) / (resamples + 1))
    return Bootstrapped((pairs.only_a - pairs.only_b) / n, float(low) / n, float(high) / n, p)


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Exact two-sided p-value of equal accuracies: if only one model is correct, this is `a` with probability 1/2.

    That is the binomial test of the images on which the outcomes differ; p is 1 if there are none. Raises `ValueError`
    unless both have outcomes of the same images.
    Source: McNemar 1947, Psychometrika 12, 153-157, in its exact form.
    """
    from scipy.stats import binomtest  # imported here: it is slow, and every evaluation imports this module

    pairs = Pairs.of(a, b)
    differing = pairs.only_a + pairs.only_b
    return float(binomtest(pairs.only_a, differing).pvalue) if differing else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number: if only those below α count as significant, the chance of any wrong claim
    is at most α.

    In ascending order p̃₍ᵢ₎ = max over j ≤ i of min(1, (m - j + 1)·p₍ⱼ₎), j from 1. Source: Holm 1979.
    """
    m = len(p_values)
    corrected, largest = [0.0] * m, 0.0
    for rank, index in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (m - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
