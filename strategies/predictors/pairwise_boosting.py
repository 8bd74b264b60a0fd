"""Gradient-boosted trees that learn the order of the targets: Newton steps on the pairwise logistic loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import Self

ALL_PAIRS = 256  # architectures of which every pair counts; of more, each has as many partners as `PARTNERS`
PARTNERS = 64  # drawn anew in each round
PENALTY = 1.0  # λ of the squared leaf values


class PairwiseTrees:
    """Scores f(x) = eta·Σ trees that minimise Σ log(1 + exp(-(f(x_i) - f(x_j)))) over the pairs with y_i > y_j.

    Each tree is grown on the Newton step -g/h with the weights h, g and h the first and second derivatives of the loss
    by each score, and each of its leaves has the value -Σg / (Σh + λ).
    Source: the loss is that of Burges et al., ICML 2005 (RankNet), the leaves those of Chen and Guestrin, KDD 2016
    (arXiv:1603.02754), equation 5.
    """

    def __init__(self, rounds: int, depth: int, eta: float, seed: int) -> None:
        self.rounds, self.depth, self.eta, self.seed = rounds, depth, eta, seed
        self._trees: list[tuple[Any, np.ndarray]] = []  # each with the values of its nodes

    def fit(self, x: np.ndarray, y: np.ndarray) -> Self:
        from sklearn.tree import DecisionTreeRegressor

        rng = np.random.default_rng(self.seed)
        score = np.zeros(len(y))
        self._trees = []
        pairs = _pairs(y, rng)
        for _ in range(self.rounds):
            if len(y) > ALL_PAIRS:
                pairs = _pairs(y, rng)
            gradient, curvature = _derivatives(score, *pairs)
            if not curvature.any():
                break  # all targets are equal
            step = -gradient / np.maximum(curvature, 1e-12)
            tree = DecisionTreeRegressor(max_depth=self.depth, random_state=self.seed % 2**32)
            tree.fit(x, step, sample_weight=np.maximum(curvature, 1e-12))
            leaf = tree.apply(x)
            nodes = tree.tree_.node_count
            down, weight = np.bincount(leaf, gradient, nodes), np.bincount(leaf, curvature, nodes)
            values = -down / (weight + PENALTY)
            score += self.eta * values[leaf]
            self._trees.append((tree, values))
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The scores (m,) of features (m, d)."""
        score = np.zeros(len(x))
        for tree, values in self._trees:
            score += self.eta * values[tree.apply(x)]
        return score


def _pairs(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the better and of the worse one of each pair."""
    if len(y) <= ALL_PAIRS:
        better, worse = np.nonzero(y[:, None] > y)
        return better, worse
    first = np.repeat(np.arange(len(y)), PARTNERS)
    second = rng.integers(len(y), size=len(first))
    swap = y[first] < y[second]
    better, worse = np.where(swap, second, first), np.where(swap, first, second)
    unequal = y[better] > y[worse]
    return better[unequal], worse[unequal]


def _derivatives(score: np.ndarray, better: np.ndarray, worse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and second derivatives (n,) of the mean loss of an architecture's pairs by its score."""
    n = len(score)
    wrong = 1 / (1 + np.exp(np.clip(score[better] - score[worse], -500, 500)))
    spread = wrong * (1 - wrong)
    times = np.maximum(np.bincount(better, minlength=n) + np.bincount(worse, minlength=n), 1)
    gradient = np.bincount(worse, wrong, n) - np.bincount(better, wrong, n)
    return gradient / times, (np.bincount(worse, spread, n) + np.bincount(better, spread, n)) / times
