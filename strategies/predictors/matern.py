"""A Gaussian process on the distance between the features of architectures, with a smooth fixed kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.strategies.predictors.adjacency import distances
from nas.strategies.predictors.base import Prediction, Predictor
from nas.strategies.predictors.gaussian_process import check_number, check_process, offset_and_scale

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class MaternOptions:
    length: float = 1.5  # in units of the typical distance of two architectures, √2
    noise: float = 0.01  # variance of the noise, as a part of the variance of the targets
    standardise: bool = True  # the features, by their mean and deviation in the training data

    def check(self) -> None:
        """Raises InputError if a number is not above 0."""
        check_process(self.length, self.noise, "1.5 and .01")


class Matern(Predictor):
    """k(x, z) = (1 + r + r²/3)·exp(-r), r = √5·|x - z|/(length·√d), on d standardised features and targets.

    The Matérn kernel of smoothness 5/2. With K = k(X, X) + noise·I, mean = k(x, X) K⁻¹ y and
    sd² = s²·(1 - k(x, X) K⁻¹ k(X, x)), where s² = yᵀK⁻¹y/n is the scale of greatest likelihood
    (Rasmussen and Williams 2006, eq. 4.17 and algorithm 2.1). Without `standardise` the features are taken as they are:
    whoever knows all architectures standardises them better than a few do.

    Raises InputError for more than 20,000 architectures.
    """

    name: ClassVar[str] = "matern"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian",)
    Options: ClassVar[type] = MaternOptions
    together: ClassVar[bool] = True  # the targets share the kernel and nothing else

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._centre: Any = 0.0
        self._unit: Any = 1.0

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        from scipy.linalg import cholesky, solve_triangular

        x, y = self._checked(features, targets)
        check_number(self.name, len(x))
        if self.options.standardise:
            self._centre, self._unit = centre_and_unit(x)
        self._x = (x - self._centre) / self._unit
        self._offset, self._scale = offset_and_scale(y)
        gram = self._kernel(self._x) + self.options.noise * np.eye(len(x))
        self._root = cholesky(gram, lower=True)
        self._white = solve_triangular(self._root, (y - self._offset) / self._scale, lower=True)  # (n, t)
        self._spread = self._scale * np.sqrt((self._white**2).mean(axis=0))
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        from scipy.linalg import solve_triangular

        across = self._kernel((self._known(features) - self._centre) / self._unit)  # (m, n)
        explained = solve_triangular(self._root, across.T, lower=True, overwrite_b=True)
        mean = explained.T @ self._white * self._scale + self._offset
        sd = np.sqrt(np.maximum(1 - (explained**2).sum(axis=0), 0.0))[:, None] * self._spread
        return self._shaped(mean, sd)

    def _kernel(self, x: np.ndarray) -> np.ndarray:
        """(m, n): the correlations with the architectures of the fit."""
        return matern(2 * distances(x, self._x), x.shape[1], self.options.length)


def matern(squares: np.ndarray, features: int, length: float) -> np.ndarray:
    """The kernel of `Matern`, elementwise, from squared distances |x - z|² of that many features."""
    r = np.sqrt(5 / features * squares) / length
    return (1 + r + r**2 / 3) * np.exp(-r)


def centre_and_unit(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the unit (d,) of each feature (n, d), by which standardised rows have a mean |x|² of d.

    A unit is the deviation, times √(used/d), so that features without a deviation do not count among the d.
    """
    with np.errstate(over="ignore"):
        deviation = np.where(np.ptp(features, axis=0) > 0, features.std(axis=0), 0.0)
    used = (deviation > 0) & np.isfinite(deviation)
    share = max(int(used.sum()), 1) / features.shape[1]
    return features.mean(axis=0), np.where(used, deviation, np.inf) * np.sqrt(share)
