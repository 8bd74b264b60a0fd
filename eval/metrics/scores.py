"""Accuracies with their intervals, the harmonic robustness score, and the worst case over attacks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nas.core.statistics.intervals import wilson
from nas.results import Correct, Interval


def accuracy(correct: Correct) -> tuple[float, Interval]:
    """The share of the images that are classified correctly, and its 95 % Wilson interval."""
    return float(correct.mean()), Interval(*wilson(int(correct.sum()), len(correct)))


def hrs(clean: float, robust: float) -> float:
    """Harmonic robustness score 2·A·R/(A + R) of clean accuracy A and robust accuracy R; 0 when both are 0.

    All three are fractions; higher is better. Source: Devaguptapu et al., ICCV Workshops 2021.
    """
    return 2 * clean * robust / (clean + robust) if clean + robust > 0 else 0.0


def worst_case(correct: Mapping[str, Correct]) -> Correct:
    """Which images are correct after every attack; `correct` says for each attack which images are correct after it.

    Their share is the robust accuracy against an attacker who chooses the attack for each image; it is never above
    the accuracy under a single attack. Raises `ValueError` without outcomes, or if they are of different images.
    """
    if len({len(flags) for flags in correct.values()}) != 1:
        got = ", ".join(f"{name}: {len(flags)}" for name, flags in correct.items()) or "none"
        raise ValueError(f"Expected the outcomes of attacks on the same images but got {got}.")
    return np.all(list(correct.values()), axis=0)
