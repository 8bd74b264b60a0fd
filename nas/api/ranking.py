"""`nas.rank_correlation`: how well scores order architectures as their measured values do."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.statistics.intervals import percentile_interval
from nas.core.statistics.ranks import bootstrap_spearman, kendall, spearman
from nas.results import Interval

MIN_PAIRS = 3  # fewer have no interval that says anything


@dataclass(frozen=True)
class RankCorrelation:
    """The result of `nas.rank_correlation`: Spearman's `rho` with its `interval`, Kendall's `tau`, and `n`.

    >>> nas.rank_correlation([1, 2, 3, 4], [1, 2, 4, 3])
    <RankCorrelation: rho 0.80 [-1.00, 1.00], tau 0.67, n 4>
    """

    rho: float
    interval: Interval  # 95 %, of rho
    tau: float
    n: int  # pairs of which both values are known

    def __repr__(self) -> str:
        low, high = self.interval
        return f"<RankCorrelation: rho {self.rho:.2f} [{low:.2f}, {high:.2f}], tau {self.tau:.2f}, n {self.n}>"


def rank_correlation(
    scores: Iterable[Any],
    values: Iterable[Any],
    *,
    resamples: int = 1000,
    seed: int = 0,
    groups: Iterable[Any] | None = None,
) -> RankCorrelation:
    """How well scores order architectures as their values do, with the 95 % bootstrap interval.

    Spearman's rho is Pearson's correlation of the average ranks. Kendall's tau-b is
    (concordant - discordant) / sqrt(pairs untied in scores * pairs untied in values). Both are 1 if the two orders
    agree, -1 if one is the reverse of the other, and NaN if one of them is constant. A score of which less is better
    has to be negated. The ends of the interval are the 2.5th and 97.5th percentile of rho over resamples of the
    architectures, each ranked again (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

    Args:
        scores: a number for each architecture, such as `nas.score(...).values("croze")`.
        values: a number for each of the same architectures, in the same order. Pairs in which one number is None, NaN
            or infinite are left out; `n` counts the others.
        resamples: how often the architectures are drawn with replacement.
        seed: the draws depend on it.
        groups: a label for each architecture; those of one label, such as isomorphic cells, are drawn together.

    Returns:
        `rho`, `interval` (`low` and `high`), `tau` and `n`.

    Raises:
        InputError: if the numbers of scores and values differ, one is no number, fewer than three pairs are left, or
            `resamples` is not positive.

    >>> import nas
    >>> found = nas.rank_correlation([3.0, 1.0, 2.0, None], [0.9, 0.5, 0.7, 0.8])
    >>> found.rho, found.tau, found.n
    (1.0, 1.0, 3)
    """
    x, y = _numbers(scores, "scores"), _numbers(values, "values")
    if len(x) != len(y):
        raise InputError(
            f"Expected a score and a value of each architecture but got {len(x)} scores and {len(y)} values; give "
            "both for the same architectures, in one order."
        )
    if resamples < 1:
        raise InputError(f"Expected resamples of at least 1 but got {resamples}; 1000 is the default.")
    labels = None if groups is None else np.unique([str(one) for one in groups], return_inverse=True)[1]
    if labels is not None and len(labels) != len(x):
        raise InputError(f"Expected one label in groups for each of {len(x)} architectures but got {len(labels)}.")
    known = np.isfinite(x) & np.isfinite(y)
    if known.sum() < MIN_PAIRS:
        raise InputError(
            f"Expected at least {MIN_PAIRS} architectures with a score and a value but got {known.sum()} of {len(x)}; "
            "score more architectures."
        )
    x, y = x[known], y[known]
    members = None if labels is None else labels[known]
    low, high = percentile_interval(bootstrap_spearman(x[None], y[None], resamples, seed, members)[:, 0, 0])
    return RankCorrelation(spearman(x, y), Interval(float(low), float(high)), kendall(x, y), int(known.sum()))


def _numbers(given: Any, name: str) -> np.ndarray:
    if isinstance(given, (str, bytes, dict)) or not isinstance(given, Iterable):
        raise InputError(f"Expected a list of numbers in {name} but got an object of type {type(given).__name__}.")
    try:
        return np.array([math.nan if one is None else float(one) for one in given])
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected numbers or None in {name} but: {error}.") from error
