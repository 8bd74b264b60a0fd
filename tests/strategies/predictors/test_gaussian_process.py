"""The Gaussian process against scikit-learn's, whose RBF kernel of length √3 is exp(-d/3)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from nas.core.errors import InputError
from nas.strategies.predictors import gaussian_process
from nas.strategies.predictors.gaussian_process import GaussianProcess, GaussianProcessOptions


@pytest.mark.parametrize(("length", "noise"), [(3.0, 1e-3), (1.5, 0.1)])
def test_it_is_the_exact_process(length: float, noise: float) -> None:
    rng = np.random.default_rng(0)
    x, fresh = rng.integers(0, 2, (30, 8)).astype(float), rng.integers(0, 2, (12, 8)).astype(float)
    y = 5 + 3 * x[:, 0] - x[:, 1] * x[:, 2] + rng.normal(size=30)
    mean, sd = GaussianProcess(0, GaussianProcessOptions(length, noise)).fit(x, y).predict(fresh)
    exact = GaussianProcessRegressor(RBF(length**0.5), alpha=noise, optimizer=None).fit(x, (y - y.mean()) / y.std())
    expected = exact.predict(fresh, return_std=True)
    np.testing.assert_allclose(mean, expected[0] * y.std() + y.mean(), rtol=1e-9)
    np.testing.assert_allclose(sd, expected[1] * y.std(), rtol=1e-6, atol=1e-9)


def test_features_of_any_unit_are_scaled() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=20)
    plain = GaussianProcess().fit(x, y).predict(x[:3] + 0.1)
    scaled = GaussianProcess().fit(x * 1e6 - 7, y).predict((x[:3] + 0.1) * 1e6 - 7)
    np.testing.assert_allclose(plain.mean, scaled.mean, rtol=1e-6)


def test_what_it_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"length": 0.0}, {"noise": 0.0}, {"noise": float("nan")}):
        with pytest.raises(InputError, match="above 0"):
            GaussianProcessOptions(**options).check()
    monkeypatch.setattr(gaussian_process, "MAX_ARCHITECTURES", 2)
    with pytest.raises(InputError, match="at most 2 architectures"):
        GaussianProcess().fit(np.eye(3), np.arange(3.0))
