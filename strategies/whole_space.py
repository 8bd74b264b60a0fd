"""The Matérn process over all classes of a small space, which grows by one observation instead of being fitted anew."""

from __future__ import annotations

import numpy as np

from nas.strategies.pool import EnumeratedSpace
from nas.strategies.predictors.gaussian_process import offset_and_scale
from nas.strategies.predictors.matern import MaternOptions, centre_and_unit, matern

GROWTH = 64  # observations for which memory is added at once


class WholeSpace:
    """All classes of a small space, and the process that is extended by one observation after the other."""

    def __init__(self, every: EnumeratedSpace, allowed: np.ndarray, process: MaternOptions) -> None:
        self.known = np.isfinite(every.features).all(axis=1)
        self.usable = self.known & allowed
        centre, unit = centre_and_unit(every.features[self.known].astype(np.float64))
        self.features = np.where(self.known[:, None], (every.features - centre) / unit, 0.0)
        self.lengths = (self.features**2).sum(axis=1)
        self.process = process
        self._forget()

    def _forget(self) -> None:
        self.seen: list[int] = []  # rows that were observed
        self._root = np.zeros((0, 0))  # L with K = L Lᵀ, of these rows
        self._explained = np.zeros((0, len(self.features)))  # L⁻¹ k(seen, all)
        self._left = np.ones(len(self.features))  # 1 - Σ of the squares of its columns

    def predict(self, seen: list[int], targets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (m, t) of `rows` (m,), by the formulas of `Matern`, from targets (n, t) of the rows `seen`."""
        from scipy.linalg import solve_triangular

        if self.seen != seen[: len(self.seen)]:
            self._forget()
        for row in seen[len(self.seen) :]:
            self._extend(row)
        n = len(seen)
        offset, scale = offset_and_scale(targets)
        white = solve_triangular(self._root[:n, :n], (targets - offset) / scale, lower=True)
        mean = (white.T @ self._explained[:n])[:, rows].T * scale + offset
        spread = scale * np.sqrt((white**2).mean(axis=0))
        return mean, np.sqrt(np.maximum(self._left[rows], 0.0))[:, None] * spread

    def _extend(self, row: int) -> None:
        """One more row of the Cholesky root: l = L⁻¹ k(seen, row), and below it √(1 + noise - l·l)."""
        n = len(self.seen)
        if n == len(self._root):
            self._root = np.pad(self._root, (0, GROWTH))
            self._explained = np.pad(self._explained, ((0, GROWTH), (0, 0)))
        squares = np.maximum(self.lengths + self.lengths[row] - 2 * self.features @ self.features[row], 0.0)
        kernel = matern(squares, self.features.shape[1], self.process.length)
        across = self._explained[:n, row].copy()
        own = np.sqrt(1 + self.process.noise - across @ across)
        self._root[n, :n], self._root[n, n] = across, own
        self._explained[n] = (kernel - across @ self._explained[:n]) / own
        self._left -= self._explained[n] ** 2
        self.seen.append(row)
