"""Extremely randomised trees: a forest whose splits are drawn, not searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.strategies.predictors.base import Prediction, Predictor
from nas.strategies.predictors.forest import answer, by_columns

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass
class ExtraTreesOptions:
    trees: int = 200  # trees of the ensemble
    smallest_leaf: int = 1  # architectures that each leaf has at least
    share: float = 1 / 3  # of the features, drawn at random, that each split considers
    bootstrap: bool = False  # also draw the architectures of each tree; needed for `out_of_bag`

    def check(self) -> None:
        if self.trees < 1 or self.smallest_leaf < 1 or not 0 < self.share <= 1:
            raise InputError(
                f"Expected trees and smallest_leaf >= 1 and 0 < share <= 1 but got {self.trees}, {self.smallest_leaf} "
                f"and {self.share}; the defaults are 200, 1 and 1/3."
            )


class ExtraTrees(Predictor):
    """The mean of trees that split at random thresholds of a random third of the features; sd is that of the trees.

    Source: Geurts, Ernst and Wehenkel, Machine Learning 63 (2006). Several targets share the trees.
    """

    name: ClassVar[str] = "extra-trees"
    references: ClassVar[tuple[str, ...]] = ("geurts2006extremely",)
    Options: ClassVar[type] = ExtraTreesOptions

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._trees: Any = None
        self._offset, self._scale = np.zeros(1), np.ones(1)  # of targets
        self._centre, self._width = np.zeros(1), np.ones(1)  # of features

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        from sklearn.ensemble import ExtraTreesRegressor

        x, y = self._checked(features, targets)
        self._centre, self._width = _scale(x)
        self._offset, self._scale = _scale(y)
        x = (x - self._centre) / self._width  # trees split in float32 and see no step under 1e-7
        y = (y - self._offset) / self._scale  # targets that share trees weigh the same
        self._trees = ExtraTreesRegressor(
            n_estimators=self.options.trees,
            min_samples_leaf=self.options.smallest_leaf,
            max_features=self.options.share,
            bootstrap=self.options.bootstrap,
            random_state=self.seed % 2**32,
        ).fit(x, y[:, 0] if y.shape[1] == 1 else y)
        self._fitted = x, y
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = (self._known(features) - self._centre) / self._width
        x = by_columns(x.astype(np.float32))
        answers = np.stack([answer(tree, x) for tree in self._trees.estimators_])
        mean, sd = answers.mean(axis=0), answers.std(axis=0)
        return self._shaped(mean * self._scale + self._offset, sd * self._scale)

    def out_of_bag(self) -> np.ndarray:
        """Predictions (n, t) for the architectures of the fit, each by the trees that were grown without it.

        Where there is no such tree, the mean of all targets. Needs `bootstrap`.
        """
        x, y = self._fitted
        x = x.astype(np.float32)
        total, times = np.zeros_like(y), np.zeros((len(y), 1))
        for tree, drawn in zip(self._trees.estimators_, self._trees.estimators_samples_):
            left = np.setdiff1d(np.arange(len(x)), drawn)
            if len(left):
                total[left] += answer(tree, x[left])
                times[left] += 1
        return np.where(times > 0, total / np.maximum(times, 1), 0.0) * self._scale + self._offset

    @property
    def importances(self) -> np.ndarray:
        """Gini importance of each feature (d,)."""
        return self._trees.feature_importances_


def _scale(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, 1 for a constant one."""
    deviation = np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 0.0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
