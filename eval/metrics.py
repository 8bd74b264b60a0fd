"""What is reported: accuracies with intervals, the harmonic robustness score, paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z = 1.959963984540054  # the 97.5 % quantile of the standard normal distribution


def wilson(successes: int, n: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927): (p̂ + z²/2n ± z·√(p̂(1-p̂)/n + z²/4n²)) / (1 + z²/n)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"Expected 0 <= successes <= n and n > 0 but got {successes} of {n}.")
    p = successes / n
    middle = p + Z * Z / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + Z * Z / n) for sign in (-1, 1))
    return (0.0 if successes == 0 else low, 1.0 if successes == n else high)


def hrs(clean: float, robust: float) -> float:
    """Harmonic robustness score 2·A·R/(A + R) of clean accuracy A and robust accuracy R; 0 when both are 0.

    Fractions in, fraction out, higher is better. Source: Devaguptapu et al., ICCV Workshops 2021.
    """
    return 2 * clean * robust / (clean + robust) if clean + robust > 0 else 0.0


@dataclass(frozen=True)
class Paired:
    """Difference of two accuracies on the same images, with its 95 % interval."""

    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        text = f"{100 * self.difference:+.1f} points [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"
        return text if self.shown else text + ", no difference shown"


def paired_difference(a: Sequence[bool], b: Sequence[bool]) -> Paired:
    """Accuracy of `a` minus that of `b` over the same images: Newcombe's square-and-add score interval.

    With the Wilson intervals (l₁, u₁), (l₂, u₂) of both proportions and φ their (continuity-corrected) correlation,
    the interval is d ∓ √(δ² - 2φδε + ε²). Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
    """
    if len(a) != len(b) or not a:
        raise ValueError(f"Expected outcomes on the same images but got {len(a)} and {len(b)}.")
    n = len(a)
    both = sum(x and y for x, y in zip(a, b))
    only_a = sum(a) - both
    only_b = sum(b) - both
    neither = n - both - only_a - only_b
    p_a, p_b = sum(a) / n, sum(b) / n
    (low_a, high_a), (low_b, high_b) = wilson(sum(a), n), wilson(sum(b), n)
    margins = math.sqrt((both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither))
    agreement: float = both * neither - only_a * only_b
    if agreement > 0:
        agreement = max(agreement - n / 2, 0)
    phi = agreement / margins if margins else 0.0
    d = p_a - p_b

    def distance(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

    return Paired(d, d - distance(p_a - low_a, high_b - p_b), d + distance(high_a - p_a, p_b - low_b))
