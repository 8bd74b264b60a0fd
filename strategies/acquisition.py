"""Acquisition functions: how promising a candidate is, from the mean and sd of its prediction; larger is better."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, ndtr

from nas.core.errors import InputError
from nas.core.suggestions import suggest

FAR = 100.0  # standard deviations below the best; farther away, the series for the logarithm is exact to 1e-13

ACQUISITIONS = ("ei", "mean", "thompson", "ucb")


def check_acquisition(name: str) -> None:
    """Raises InputError if there is no acquisition function of that name."""
    if name not in ACQUISITIONS:
        raise InputError(
            f"Expected an acquisition but got {name!r}{suggest(name, list(ACQUISITIONS))}; available: "
            f"{', '.join(ACQUISITIONS)}."
        )


def acquisition(
    name: str, mean: np.ndarray, sd: np.ndarray, best: float, kappa: float, noise: np.random.Generator
) -> np.ndarray:
    """The values (m,) of the acquisition function of that name; `best` is the largest observed fitness.

    mean: the mean itself.
    ucb: mean + kappa·sd. Source: Srinivas et al., ICML 2010 (arXiv:0912.3995), with a constant kappa.
    thompson: a draw from N(mean, sd) for each. Source: independent sampling of White et al., AAAI 2021
    (arXiv:1910.11858).
    ei: the ranks by log E max(0, N(mean, sd) − best), the logarithm of the expected improvement; of equal values (-inf
    where sd is 0), the larger mean is better. In floats the improvement itself is 0 for every mean more than about 38
    sd below the best, so all such candidates would be equal.
    """
    if name == "ucb":
        return mean + kappa * sd
    if name == "thompson":
        return noise.normal(mean, sd)
    if name == "ei":
        return ranks(log_expected_improvement(mean, sd, best), mean)
    return mean


def log_expected_improvement(mean: np.ndarray, sd: np.ndarray, best: float) -> np.ndarray:
    """log E max(0, N(mean, sd) − best) = log sd + log h(z), h(z) = φ(z) + z·Φ(z), z = (mean − best) / sd.

    For z = -t below -1, h = φ(t)·(1 − t·R(t)) with Mills' ratio R(t) = √(π/2)·erfcx(t/√2), and for large t
    1 − t·R(t) = 1/t² − 3/t⁴ + 15/t⁶ − 105/t⁸ + … (Abramowitz and Stegun 26.2.12). -inf if sd is 0 and the mean is
    not better than the best. The idea: Ament et al., NeurIPS 2023 (arXiv:2310.20708).
    """
    gain = np.asarray(mean, dtype=np.float64) - best
    sd = np.broadcast_to(np.asarray(sd, dtype=np.float64), gain.shape)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # in values that `where` discards
        t = np.where(gain < 0, -gain / sd, 0.0)
        density = -(t**2) / 2 - np.log(2 * np.pi) / 2
        near = np.log1p(-t * np.sqrt(np.pi / 2) * erfcx(t / np.sqrt(2)))
        far = -2 * np.log(t) + np.log1p((-3 + (15 - 105 / t**2) / t**2) / t**2)
        below = np.log(sd) + density + np.where(t < FAR, near, far)
        above = np.log(expected_improvement(mean, sd, best))
    return np.where(np.isinf(t) & (gain < 0), -np.inf, np.where(t > 1, below, above))


def ranks(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The ranks of pairs by their first number, then by their second: 0 for the least, equal ranks for equal pairs."""
    return np.unique(np.stack([first, second], axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def expected_improvement(mean: np.ndarray, sd: np.ndarray, best: float) -> np.ndarray:
    """E max(0, N(mean, sd) − best) = (mean − best)·Φ(z) + sd·φ(z), z = (mean − best) / sd; 0 far below the best."""
    gain = mean - best
    z = gain / np.maximum(sd, 1e-300)
    with np.errstate(over="ignore"):  # of z² where sd is 0; the density is 0
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return gain * ndtr(z) + sd * density
