"""The radius of an attack, as people write it."""

from __future__ import annotations


def radius(eps: float) -> str:
    """ε as n/255 if n is a whole number and ε has more than one decimal place, else as a decimal number.

    >>> radius(8 / 255), radius(0.1), radius(0.2)
    ('8/255', '0.1', '0.2')
    """
    levels = 255 * eps
    if abs(levels - round(levels)) < 1e-6 and 0 < levels < 255 and eps != round(eps, 1):
        return f"{round(levels)}/255"
    return f"{eps:g}"
