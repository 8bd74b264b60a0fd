"""Gradient-boosted trees: xgboost where it is installed, else scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.core.extras import optional
from nas.strategies.predictors.base import Prediction, Predictor
from nas.strategies.predictors.pairwise_boosting import PairwiseTrees

if TYPE_CHECKING:
    from typing_extensions import Self

LOSSES = ("squared", "pairwise")
XGBOOST, SCIKIT_LEARN = "xgboost", "scikit-learn"  # the libraries


@dataclass
class BoostedTreesOptions:
    rounds: int = 500  # trees, one after the other
    depth: int = 6  # of each tree
    eta: float = 0.3  # learning rate
    loss: str = "squared"  # or pairwise, which learns the order of the targets

    def check(self) -> None:
        """Raises InputError for an unknown loss or a number out of its range."""
        if self.rounds < 1 or self.depth < 1 or not 0 < self.eta <= 1:
            raise InputError(
                f"Expected rounds and depth >= 1 and 0 < eta <= 1 but got {self.rounds}, {self.depth} and {self.eta}; "
                "the defaults are 500, 6 and .3."
            )
        if self.loss not in LOSSES:
            raise InputError(f"Expected loss to be {' or '.join(LOSSES)} but got {self.loss!r}.")


class BoostedTrees(Predictor):
    """500 trees of depth 6, each fitted to the residuals of those before and added with a factor eta = .3.

    Targets are standardised. With `loss=pairwise` the trees give scores whose order is learnt, not targets; the
    prediction is the least-squares line from these scores to the targets. The model has no uncertainty of its own: sd
    is 0, and several targets have trees of their own.

    `library` is xgboost where it is installed (Chen and Guestrin, KDD 2016, arXiv:1603.02754; `reg:squarederror` or
    `rank:pairwise`, one thread). Otherwise it is scikit-learn: histogram boosting with leaves of one architecture and
    λ = 1, or `PairwiseTrees`. The two give different numbers. The settings are those of Lukasik et al., ECCV 2022
    (arXiv:2203.08734), for their baseline XGB. Raises InputError if the library is not installed.
    """

    name: ClassVar[str] = "boosted-trees"
    references: ClassVar[tuple[str, ...]] = ("chen2016xgboost", "lukasik2022agnet")
    Options: ClassVar[type] = BoostedTreesOptions
    uncertain: ClassVar[bool] = False

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self.library = XGBOOST if find_spec("xgboost") else SCIKIT_LEARN

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        x, y = self._checked(features, targets)
        self._offset, deviation = y.mean(axis=0), np.where(np.ptp(y, axis=0) > 0, y.std(axis=0), 0.0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        self._centre, width = x.mean(axis=0), np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 0.0)
        self._width = np.where(width > 0, width, 1.0)
        x, y = self._standardised(x), (y - self._offset) / self._scale
        self._models = [self._fitted(x, column) for column in y.T]
        self._lines = np.array([self._line(model, x, column) for model, column in zip(self._models, y.T)])
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = self._standardised(self._known(features))
        scores = np.stack([self._scores(model, x) for model in self._models], axis=1)
        mean = (self._lines[:, 0] * scores + self._lines[:, 1]) * self._scale + self._offset
        return self._shaped(mean, np.zeros_like(mean))

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        return (x - self._centre) / self._width  # trees split in float32 and see no step under 1e-7

    def _fitted(self, x: np.ndarray, y: np.ndarray) -> Any:
        options, ranked = self.options, self.options.loss == "pairwise"
        seed = self.seed % 2**31
        if len(y) < 2 or not y.any():
            return None
        if self.library == XGBOOST:
            xgboost = optional("xgboost", "boosting")
            data = xgboost.DMatrix(x, label=y, nthread=1)
            if ranked:
                data.set_group([len(y)])
            settings = {
                "objective": "rank:pairwise" if ranked else "reg:squarederror",
                "max_depth": options.depth,
                "eta": options.eta,
                "base_score": 0.0,
                "nthread": 1,
                "seed": seed,
                "verbosity": 0,
            }
            return xgboost.train(settings, data, options.rounds)
        if ranked:
            return PairwiseTrees(options.rounds, options.depth, options.eta, seed).fit(x, y)
        from sklearn.ensemble import HistGradientBoostingRegressor

        model = HistGradientBoostingRegressor(
            max_iter=options.rounds,
            max_depth=options.depth,
            learning_rate=options.eta,
            max_leaf_nodes=None,
            min_samples_leaf=1,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        return model.fit(x, y)

    def _scores(self, model: Any, x: np.ndarray) -> np.ndarray:
        """(m,): what the trees give, in standardised targets or as scores."""
        if model is None:
            return np.zeros(len(x))
        if self.library == XGBOOST:
            xgboost = optional("xgboost", "boosting")
            return np.asarray(model.predict(xgboost.DMatrix(x, nthread=1)), dtype=np.float64)
        return np.asarray(model.predict(x), dtype=np.float64)

    def _line(self, model: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Slope and intercept from the scores of the trees to standardised targets; the slope is never below 0."""
        if self.options.loss == "squared" or model is None:
            return 1.0, 0.0
        scores = self._scores(model, x)
        variance = scores.var()
        slope = max(float(((scores - scores.mean()) * y).mean() / variance), 0.0) if variance > 0 else 0.0
        return slope, -slope * float(scores.mean())
