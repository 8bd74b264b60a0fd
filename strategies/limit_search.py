"""The order of candidates while a search knows nothing good within its limits."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from nas.core.limit import Limits
from nas.strategies.acquisition import log_expected_improvement
from nas.strategies.predictors.base import Prediction


def nothing_good(fitness: np.ndarray, within: np.ndarray, init: int) -> bool:
    """Whether the best fitness (n,) within the limits is no better than the usual one of all observed, or of the first.

    That is the larger of the medians of all and of the first `init`, which were drawn at random or known before the
    search. Without this, a search that has found a single cell within a tight limit, or useless ones, asks only for
    more of their kind.
    """
    if not within.any():
        return True
    return bool(fitness[within].max() <= max(np.median(fitness), np.median(fitness[:init])))


def towards(
    limits: Limits, worth: np.ndarray, fitness: Prediction, best: float, quantities: Prediction, unit: np.ndarray
) -> np.ndarray:
    """The candidates (m,), the best first, by how likely they are to be within the limits and better than `best` there.

    By log E max(0, N(mean, sd) − best) + min(0, log 2P), with P the probability of being within. So all that are likely
    to be within compete by their improvement, and those outside by the product of both (Schonlau, Welch and Jones 1998;
    Gardner et al., ICML 2014). Equal ones by their worth (m,), the acquisition function.

    Where the model knows no uncertainty: first those predicted within and better, by their worth; then those better but
    outside, the nearest to the limits first (Deb 2000) in units (limits,) of each quantity; then the rest.

    `quantities`: mean and sd (m, limits) of what is limited.
    """
    if (fitness.sd > 0).any():
        chance = np.minimum(0.0, np.log(2) + log_probability(limits, quantities))
        return np.lexsort((-worth, -(log_expected_improvement(fitness.mean, fitness.sd, best) + chance)))
    group = np.where(fitness.mean > best, np.where(limits.feasible(quantities.mean), 0, 1), 2)
    far = limits.excess(quantities.mean, unit)
    return np.lexsort((-worth, np.where(group == 1, far, 0.0), group))


def log_probability(limits: Limits, quantities: Prediction) -> np.ndarray:
    """Σ log Φ((bound − mean) / sd) over the limits (m,), for a lower bound log Φ((mean − bound) / sd).

    Where sd is 0: 0 within the limit or on its bound, else -inf.
    """
    total = np.zeros(len(quantities.mean))
    for one, mean, sd in zip(limits.parts, quantities.mean.T, quantities.sd.T):
        room = one.bound - mean if one.upper else mean - one.bound
        with np.errstate(divide="ignore", invalid="ignore"):  # in values that `where` discards
            z = np.where(sd > 0, room / sd, np.where(room >= 0, np.inf, -np.inf))
        total += log_ndtr(z)
    return total
