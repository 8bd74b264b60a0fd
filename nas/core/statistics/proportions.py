"""How sure an accuracy is: the score interval of a proportion."""

from __future__ import annotations

import math

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
