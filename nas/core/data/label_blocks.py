"""Whether images come sorted by class, so that the first of them are no sample of all."""

from __future__ import annotations

import math

import numpy as np

LEAST = 20  # labels, of which fewer cannot tell
SIGMAS = 6.0


def in_blocks(labels: np.ndarray, all_labels: np.ndarray | None = None) -> bool:
    """Whether far more of the neighbouring labels are equal than in a random order.

    In a random order of labels with the shares p, the expected number of equal neighbours among n is (n-1)·s₂, and its
    variance (n-1)·s₂·(1-s₂) + 2·(n-2)·(s₃-s₂²), with s_k = Σ p^k. The shares are those of `all_labels`, by default of
    the `labels` themselves; of a single class there are blocks if `all_labels` is not known.
    """
    n = len(labels)
    if n < LEAST:
        return False
    known = labels if all_labels is None else all_labels
    shares = np.unique(known, return_counts=True)[1] / len(known)
    if len(shares) == 1:
        return all_labels is None
    equal = int((labels[1:] == labels[:-1]).sum())
    s2, s3 = float((shares**2).sum()), float((shares**3).sum())
    variance = (n - 1) * s2 * (1 - s2) + 2 * (n - 2) * (s3 - s2**2)
    return equal - (n - 1) * s2 > SIGMAS * math.sqrt(variance)
