"""Whether a network is correct as often as its confidence says: the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nas.results import Bin

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error (a fraction, lower is better) and its bins (with means of 0 if they are empty)."""

    ece: float
    bins: list[Bin]


def calibration(confidence: ArrayLike, right: ArrayLike, bins: int = BINS) -> Calibration:
    """ECE = Σₘ |Bₘ|/n · |acc(Bₘ) - conf(Bₘ)| over bins of equal width, Bₘ of the confidences in ((m-1)/M, m/M].

    `confidence` (n,) is the softmax probability of the predicted class, `right` (n,) whether that class is the true
    one. Source: Guo et al., ICML 2017 (arXiv:1706.04599), eq. 3, with their 15 bins.
    """
    said, true = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if said.ndim != 1 or said.shape != true.shape or not len(said) or not ((said >= 0) & (said <= 1)).all():
        raise ValueError(f"Expected n > 0 confidences in [0, 1] and outcomes but got {said.shape} and {true.shape}.")
    member = np.clip(np.ceil(said * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(member, minlength=bins)
    mean_said, mean_true = (
        np.bincount(member, weights=values, minlength=bins) / np.maximum(counts, 1) for values in (said, true)
    )
    ece = float((counts / len(said) * np.abs(mean_true - mean_said)).sum())
    rows = [Bin(int(n), float(s), float(t)) for n, s, t in zip(counts, mean_said, mean_true)]
    return Calibration(ece, rows)
