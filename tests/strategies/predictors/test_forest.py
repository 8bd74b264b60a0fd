"""The forest is scikit-learn's, with the paper's settings."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from nas.core.errors import InputError
from nas.strategies.predictors.forest import Forest, ForestOptions


@pytest.mark.parametrize("columns", [(), (2,)])
def test_it_is_the_paper_s_forest(columns: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y, fresh = rng.normal(size=(80, 6)), rng.normal(size=(80, *columns)), rng.normal(size=(30, 6))
    literal = RandomForestRegressor(n_estimators=100, random_state=42).fit(x, y)
    forest = Forest(42).fit(x, y)
    mean, sd = forest.predict(fresh)
    np.testing.assert_allclose(mean, literal.predict(fresh))
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
    expected, unit = Forest(1).fit(x, y).predict(fresh), 2.0**-40
    got = Forest(1).fit(x * unit, y * unit).predict(fresh * unit)
    np.testing.assert_allclose(got.mean, expected.mean * unit)
    np.testing.assert_allclose(got.sd, expected.sd * unit)


def test_what_it_cannot_take_is_told() -> None:
    with pytest.raises(InputError, match="take their logarithm"):
        Forest().fit(np.array([[1e300], [1.0]]), np.zeros(2))
    with pytest.raises(InputError, match="trees >= 1 but got 0"):
        ForestOptions(0).check()
