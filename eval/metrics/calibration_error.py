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
    """ECE = Σₘ |Bₘ|/n · |acc(Bₘ) - conf(Bₘ)| over bins of equal width: Bₘ holds confidences in ((m-1)/M, m/M].

    `confidence` (n,) is the softmax probability of the predicted class, `right` (n,) whether that class is the true
    one. Source: Guo et al., ICML 2017 (arXiv:1706.04599), eq. 3, with their 15 bins.

    Raises ValueError if a confidence is not in [0, 1], or the two arrays do not fit together.
    """
    conf, correct = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if conf.ndim != 1 or conf.shape != correct.shape or not len(conf) or not ((conf >= 0) & (conf <= 1)).all():
        raise ValueError(f"Expected n > 0 confidences in [0, 1] and outcomes but got {conf.shape} and {correct.shape}.")
    member = np.clip(np.ceil(conf * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(member, minlength=bins)
    mean_conf, acc = (
        np.bincount(member, weights=values, minlength=bins) / np.maximum(counts, 1) for values in (conf, correct)
    )
    ece = float((counts / len(conf) * np.abs(acc - mean_conf)).sum())
    rows = [Bin(int(n), float(c), float(a)) for n, c, a in zip(counts, mean_conf, acc)]
    return Calibration(ece, rows)
