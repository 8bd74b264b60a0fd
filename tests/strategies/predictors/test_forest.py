"""The forest is scikit-learn's, with the paper's settings."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from nas.core.errors import InputError
from nas.strategies.predictors.forest import Forest, ForestOptions


@pytest.mark.parametrize("unit", [1.0, 0.1])  # accuracies have deviations like the second
@pytest.mark.parametrize("columns", [(), (2,)])
def test_it_is_the_paper_s_forest(columns: tuple[int, ...], unit: float) -> None:
    rng = np.random.default_rng(0)
    x, fresh = rng.normal(size=(120, 6)).round(1), rng.normal(size=(30, 6))
    y = unit * (x[:, :1] + rng.normal(size=(120, *(columns or (1,))))).round(3)
    y = y if columns else y[:, 0]
    literal = RandomForestRegressor(n_estimators=100, random_state=42).fit(x, y)
    forest = Forest(42).fit(x, y)
    mean, sd = forest.predict(fresh)
    np.testing.assert_allclose(mean, literal.predict(fresh), rtol=1e-12)
    np.testing.assert_allclose(sd, np.std([tree.predict(fresh) for tree in literal.estimators_], axis=0))
    np.testing.assert_array_equal(forest.importances, literal.feature_importances_)


def test_importances_find_what_matters() -> None:
    x = np.random.default_rng(0).normal(size=(100, 5))
    importances = Forest().fit(x, 3 * x[:, 2]).importances
    assert importances.argmax() == 2
    assert importances.sum() == pytest.approx(1)
    with pytest.raises(InputError, match="call fit before importances"):
        _ = Forest().importances


def test_tiny_units_are_no_rounding_errors() -> None:
    rng = np.random.default_rng(0)
    x, y, fresh = rng.normal(size=(60, 4)), rng.normal(size=60), rng.normal(size=(20, 4))
    unit = 2.0**-40
    got = Forest(1).fit(x * unit, y * unit).predict(fresh * unit)
    expected = Forest(1).fit(x, y).predict(fresh)
    assert np.corrcoef(got.mean, expected.mean)[0, 1] > 0.95  # as well as in larger units
    assert 0.5 < got.sd.mean() / (unit * expected.sd.mean()) < 2


def test_what_it_cannot_take_is_told() -> None:
    with pytest.raises(InputError, match="take their logarithm"):
        Forest().fit(np.array([[1e100], [1.0]]), np.zeros(2))
    with pytest.raises(InputError, match="trees >= 1 but got 0"):
        ForestOptions(0).check()
