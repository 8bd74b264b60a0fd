"""A Gaussian process with a fixed kernel of the distance between architectures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.strategies.predictors.adjacency import distances
from nas.strategies.predictors.base import Prediction, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_ARCHITECTURES = 20_000  # the exact solution takes n² memory and n³ time


@dataclass
class GaussianProcessOptions:
    length: float = 3.0  # the distance at which the correlation has fallen to 1/e
    noise: float = 0.01  # variance of the noise, as a part of the variance of the targets

    def check(self) -> None:
        """Raises InputError if a number is not above 0."""
        check_process(self.length, self.noise, "3 and .01")


class GaussianProcess(Predictor):
    """k(x, z) = exp(-d(x, z)/length) with d = |x - z|²/2, on standardised targets; sd without the noise.

    With the adjacency encoding d is the number of edges in which two cells differ, as in White et al., NeurIPS 2020
    (arXiv:2007.04965); the length scale is that of their release (naszilla). With K = k(X, X) + noise·I,
    mean = k(x, X) K⁻¹ y and sd² = 1 - k(x, X) K⁻¹ k(X, x) (Rasmussen and Williams 2006, algorithm 2.1). Other features
    are standardised and scaled so that the mean d of the training data is 6, twice the default length.

    Raises InputError for more than 20,000 architectures.
    """

    name: ClassVar[str] = "gp"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian",)
    Options: ClassVar[type] = GaussianProcessOptions
    together: ClassVar[bool] = True  # the targets share the kernel and nothing else

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        from scipy.linalg import cho_factor, cho_solve

        x, y = self._checked(features, targets)
        check_number(self.name, len(x))
        self._offset, self._scale = offset_and_scale(y)
        self._centre, self._unit = _units(x)
        self._x = (x - self._centre) / self._unit
        gram = self._kernel(self._x) + self.options.noise * np.eye(len(x))
        self._root = cho_factor(gram, lower=True)
        self._weights = cho_solve(self._root, (y - self._offset) / self._scale)
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        from scipy.linalg import solve_triangular

        across = self._kernel((self._known(features) - self._centre) / self._unit)  # (m, n)
        explained = (solve_triangular(self._root[0], across.T, lower=True) ** 2).sum(axis=0)
        sd = np.sqrt(np.maximum(1 - explained, 0.0))[:, None] * self._scale
        return self._shaped(across @ self._weights * self._scale + self._offset, sd)

    def _kernel(self, x: np.ndarray) -> np.ndarray:
        """(m, n): the correlations with the architectures of the fit."""
        return np.exp(-distances(x, self._x) / self.options.length)


def check_process(length: float, noise: float, defaults: str) -> None:
    """Raises InputError if one of the numbers of a process is not above 0."""
    for key, value in (("length", length), ("noise", noise)):
        if not value > 0:
            raise InputError(f"Expected {key} above 0 but got {value}; the defaults are {defaults}.")


def check_number(name: str, architectures: int) -> None:
    """Raises InputError if there are more architectures than an exact process can learn from."""
    if architectures > MAX_ARCHITECTURES:
        raise InputError(
            f"Expected at most {MAX_ARCHITECTURES:,} architectures for {name} but got {architectures:,}; take another "
            "predictor, such as forest."
        )


def offset_and_scale(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and deviation (t,) by which targets (n, t) are standardised; 1 for targets that are all equal."""
    deviation = np.where(np.ptp(targets, axis=0) > 0, targets.std(axis=0), 0.0)
    return targets.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _units(x: np.ndarray) -> tuple[np.ndarray, Any]:
    """The origin and unit of each feature: 0 and 1 for an encoding of 0 and 1."""
    if np.isin(x, (0, 1)).all():
        return np.zeros(x.shape[1]), 1.0
    deviation = np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 0.0)
    used = deviation > 0
    unit = np.where(used, deviation, 1.0)
    return x.mean(axis=0), unit * np.sqrt(max(used.sum(), 1) / 6)  # the mean d of standardised rows is their number
