"""Rank correlations: how well one ranking of architectures predicts another, and how certain that is.

Ties get average ranks. A correlation with a constant is undefined: it is NaN, without a warning. Functions that rank
raise `ValueError` for values of different lengths, fewer than two values, and values that are not finite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nas.core.statistics.intervals import percentile_interval

DEGENERATE = 1e-10  # if 1 - r**2 is not above this, the third variable determines the ranking


class Estimate(NamedTuple):
    """A statistic with the ends of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rho: Pearson's correlation of the average ranks."""
    return float(spearman_matrix(_vector(x), _vector(y))[0, 0])


def spearman_matrix(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Spearman's rho of every row of `x` (a, n) with every row of `y` (b, n): (a, b)."""
    from scipy import stats  # imported here, as below: it is slow, and not every user of this module needs it

    rows, columns = _matched(x, y)
    return _pearson(stats.rankdata(rows, axis=1), stats.rankdata(columns, axis=1), np.ones(rows.shape[1]))


def kendall(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b: (concordant - discordant) / sqrt(pairs untied in x * pairs untied in y)."""
    from scipy import stats

    rows, columns = _matched(_vector(x), _vector(y))
    if np.ptp(rows) == 0 or np.ptp(columns) == 0:
        return float("nan")
    return float(stats.kendalltau(rows[0], columns[0], method="asymptotic").statistic)


def partial(r_xy: ArrayLike, r_xz: ArrayLike, r_yz: ArrayLike) -> np.ndarray:
    """The correlation of x and y given z: (r_xy - r_xz r_yz) / sqrt((1 - r_xz²)(1 - r_yz²)), element by element.

    NaN where x or y has the ranking of z or its reverse.
    """
    xy, xz, yz = (np.asarray(value, dtype=np.float64) for value in (r_xy, r_xz, r_yz))
    undetermined = np.minimum(1 - xz**2, 1 - yz**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    return np.where(undetermined > DEGENERATE, np.clip(value, -1, 1), np.nan)


def bootstrap_spearman(
    x: ArrayLike, y: ArrayLike, resamples: int = 1000, seed: int = 0, groups: ArrayLike | None = None
) -> np.ndarray:
    """`spearman_matrix` of resamples of the n architectures, drawn with replacement: (resamples, a, b).

    Architectures with the same number in `groups` (n,) are drawn together: they are not independent observations but,
    for example, isomorphic cells, which share their accuracy.

    Every resample is ranked again. All rows use the same resamples, so differences along the first axis are paired.
    The draws depend only on `seed` and n (or `groups`), not on the rows. An architecture that is drawn k times counts
    as k tied ones; the values are sorted once for all resamples.
    """
    rows, columns = _matched(x, y)
    first, second = _Codes(rows), _Codes(columns)
    member = np.arange(rows.shape[1]) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    rng, n = np.random.default_rng(seed), int(member.max()) + 1
    correlations = np.empty((resamples, len(rows), len(columns)))
    for number in range(resamples):
        times = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)[member]
        correlations[number] = _pearson(first.ranks(times), second.ranks(times), times)
    return correlations


def spearman_difference(
    first: ArrayLike, second: ArrayLike, y: ArrayLike, resamples: int = 1000, seed: int = 0
) -> Estimate:
    """rho(first, y) - rho(second, y) on the same architectures, with its paired bootstrap interval."""
    pair = np.concatenate([_vector(first), _vector(second)])
    draws = bootstrap_spearman(pair, _vector(y), resamples, seed)[:, :, 0]
    low, high = percentile_interval(draws[:, 0] - draws[:, 1])
    return Estimate(spearman(first, y) - spearman(second, y), float(low), float(high))


class _Codes:
    """Rows of values (k, n) as codes 0, 1, ... in ascending order, so that a resample is ranked by counting."""

    def __init__(self, values: np.ndarray) -> None:
        self.codes = np.array([np.unique(row, return_inverse=True)[1] for row in values])

    def ranks(self, times: np.ndarray) -> np.ndarray:
        """Average ranks (k, n) in the resample that contains column i `times[i]` times."""
        ranks = np.empty(self.codes.shape)
        for codes, row in zip(self.codes, ranks):
            tied = np.bincount(codes, weights=times)
            places = np.cumsum(tied) - (tied - 1) / 2  # the mean of the first and the last place of equal values
            places.take(codes, out=row, mode="clip")
        return ranks


def _pearson(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each row of ranks `x` with each row of `y`; column i counts `times[i]` times."""
    total = times.sum()
    a, b = ((ranks - (total + 1) / 2) * np.sqrt(times) for ranks in (x, y))
    scale = np.sqrt(np.outer((a * a).sum(axis=1), (b * b).sum(axis=1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 0, np.clip(a @ b.T / scale, -1, 1), np.nan)


def _vector(values: ArrayLike) -> np.ndarray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise ValueError(f"Expected one value per architecture but got an array of shape {vector.shape}.")
    return vector[None]


def _matched(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if rows.ndim != 2 or columns.ndim != 2 or rows.shape[1] != columns.shape[1]:
        raise ValueError(f"Expected values of the same architectures but got shapes {rows.shape} and {columns.shape}.")
    if rows.shape[1] < 2:
        raise ValueError(f"Expected at least 2 architectures to rank but got {rows.shape[1]}.")
    if not (np.isfinite(rows).all() and np.isfinite(columns).all()):
        raise ValueError("Expected finite values but got some that are not; leave those architectures out.")
    return rows, columns
