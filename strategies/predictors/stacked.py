"""The project's own predictor: a Gaussian process and extra trees, with weights found from the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.strategies.predictors.base import Prediction, Predictor
from nas.strategies.predictors.extra_trees import ExtraTrees, ExtraTreesOptions
from nas.strategies.predictors.kernel import Kernel

if TYPE_CHECKING:
    from typing_extensions import Self

WEIGHED_SHARE = 0.99  # share of the architectures, those with the smallest errors, that decide the weights


@dataclass
class StackedOptions:
    trees: int = 200  # trees of the ensemble

    def check(self) -> None:
        """Raises InputError if there is no tree."""
        if self.trees < 1:
            raise InputError(f"Expected trees >= 1 but got {self.trees}; the default is 200.")


class StackedPredictor(Predictor):
    """w·kernel + (1 - w)·extra trees, with the w in [0, 1] of least squared error in cross-validation for each target.

    Only the training data are used. For each architecture, the kernel gives a prediction p from all others (in closed
    form), and the trees that did not see the architecture give a prediction q (out of bag). With the targets y,
    w = Σ(y - q)(p - q) / Σ(p - q)², without the 1 % of architectures that have the largest errors (cells that cannot be
    trained are unlike all others and would decide alone). sd is that of the mixture.
    """

    name: ClassVar[str] = "auto"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian", "geurts2006extremely")
    Options: ClassVar[type] = StackedOptions
    together: ClassVar[bool] = True  # one fit to all targets, which predicts each of them better

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._kernel, self._trees = Kernel(), ExtraTrees()
        self.weights = np.zeros(0)  # (t,) of the kernel

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        x, y = self._checked(features, targets)
        options = ExtraTreesOptions(trees=self.options.trees, bootstrap=True)
        self._kernel = Kernel(derive(self.seed, "kernel")).fit(x, y)
        self._trees = ExtraTrees(derive(self.seed, "trees"), options).fit(x, y)
        p, q = self._kernel.leave_one_out(), self._trees.out_of_bag()
        self.weights = np.array([_weight(*column) for column in zip(y.T, p.T, q.T)])
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = self._known(features)
        p, q, w = self._kernel.predict(x), self._trees.predict(x), self.weights
        mean = w * p.mean + (1 - w) * q.mean
        variance = w * p.sd**2 + (1 - w) * q.sd**2 + w * (1 - w) * (p.mean - q.mean) ** 2
        return self._shaped(mean, np.sqrt(variance))

    @property
    def importances(self) -> np.ndarray:
        """Gini importance of each feature (d,) in the trees."""
        return self._trees.importances


def _weight(y: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """The w for which w·p + (1 - w)·q is nearest to y; one half if p and q do not differ."""
    error = np.maximum(np.abs(y - p), np.abs(y - q))
    usual = error <= np.quantile(error, WEIGHED_SHARE)
    apart = ((p - q)[usual] ** 2).sum()
    return float(np.clip(((y - q) * (p - q))[usual].sum() / apart, 0, 1)) if apart > 0 else 0.5
