"""The random forest of the robustness papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.strategies.predictors.base import Prediction, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self

SMALL_FEATURE = 1e-4  # features up to this are scaled up, because scikit-learn would treat them as equal
SMALL_TARGET = 1e-6  # so are targets whose standard deviation is smaller


@dataclass
class ForestOptions:
    trees: int = 100  # trees of the forest

    def check(self) -> None:
        if self.trees < 1:
            raise InputError(f"Expected trees >= 1 but got {self.trees}; set trees=100 as in the paper.")


class Forest(Predictor):
    """The mean of 100 regression trees, each grown on a bootstrap sample; sd is that of the trees' answers.

    Source: Jung et al., "Zero-cost proxies for robustness": scikit-learn's `RandomForestRegressor(n_estimators=100,
    random_state=42)` and otherwise its defaults. Several targets share the trees, and the targets' variances are added
    unscaled, as in the paper: give targets in similar units. scikit-learn treats features closer than 1e-7, and targets
    of a variance below 1e-16, as equal; features below 1e-4 and targets whose deviation is below 1e-6 are therefore
    scaled to about 1 first. All others are left as they are, and the predictions are scikit-learn's own.
    """

    name: ClassVar[str] = "forest"
    references: ClassVar[tuple[str, ...]] = ("breiman2001forests",)
    Options: ClassVar[type] = ForestOptions

    def __init__(self, seed: int = 0, options: Any = None) -> None:
        super().__init__(seed, options)
        self._forest: Any = None

    def fit(self, features: np.ndarray, targets: np.ndarray) -> Self:
        from sklearn.ensemble import RandomForestRegressor

        x, y = self._checked(features, targets)
        forest = RandomForestRegressor(n_estimators=self.options.trees, random_state=self.seed % 2**32)
        largest, deviation = np.abs(x).max(axis=0), y.std(axis=0).max()
        self._unit = np.where(largest < SMALL_FEATURE, _power_of_two(largest), 1.0)
        self._scale = _power_of_two(deviation) if deviation < SMALL_TARGET else 1.0
        unit = y / self._scale
        self._forest = forest.fit(_single_precision(x / self._unit), unit[:, 0] if y.shape[1] == 1 else unit)
        return self

    def predict(self, features: np.ndarray) -> Prediction:
        x = by_columns(_single_precision(self._known(features) / self._unit))
        answers = np.stack([answer(tree, x) for tree in self._forest.estimators_])
        return self._shaped(self._scale * answers.mean(axis=0), self._scale * answers.std(axis=0))

    @property
    def importances(self) -> np.ndarray:
        """Gini importance of each feature (d,): its share of the variance that the splits take away; sums to 1.

        Raises InputError before `fit`.
        """
        if self._forest is None:
            raise InputError(f"Expected a fitted predictor but {self.name} was not; call fit before importances.")
        return self._forest.feature_importances_


def by_columns(x: np.ndarray) -> np.ndarray:
    """The same matrix stored by columns, of which a tree reads few: it is two to three times as fast."""
    return np.asfortranarray(x)


def answer(tree: Any, x: np.ndarray) -> np.ndarray:
    """(m, t): what one of scikit-learn's trees predicts from features (m, d) in single precision, without checks."""
    return tree.tree_.predict(x).reshape(len(x), -1)


def _power_of_two(size: np.ndarray) -> np.ndarray:
    """The next power of two above each size; 1 for 0."""
    return np.ldexp(1.0, np.frexp(size)[1])


def _single_precision(features: np.ndarray) -> np.ndarray:
    """Features as float32, in which trees split them."""
    with np.errstate(over="ignore"):
        single = features.astype(np.float32)
    if not np.isfinite(single).all():
        raise InputError(
            f"Expected features up to {np.finfo(np.float32).max:.1e} but got {np.abs(features).max():.1e}; take "
            "their logarithm."
        )
    return single
