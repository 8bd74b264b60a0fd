"""Boosted trees against steps worked out by hand, with each library that is installed."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.strategies.predictors.boosted_trees import BoostedTrees, BoostedTreesOptions
from nas.strategies.predictors.pairwise_boosting import ALL_PAIRS, PairwiseTrees

LIBRARIES = [
    pytest.param("xgboost", marks=pytest.mark.skipif(find_spec("xgboost") is None, reason="xgboost is absent")),
    "scikit-learn",
]


def made(library: str, **options: object) -> BoostedTrees:
    model = BoostedTrees(0, BoostedTreesOptions(**options))  # type: ignore[arg-type]
    model.library = library
    return model


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_round_adds_eta_times_the_shrunken_mean_of_each_leaf(library: str) -> None:
    """Standardised targets -1, -1, 1, 1 in two leaves: each round leaves 1 - eta·2/(2 + λ) of the residual, λ = 1."""
    x, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([3.0, 3.0, 7.0, 7.0])
    for rounds in (1, 2):
        mean = made(library, rounds=rounds, depth=1, eta=0.3).fit(x, y).predict(x).mean
        left = (1 - 0.3 * 2 / 3) ** rounds
        np.testing.assert_allclose(mean, 5 + 2 * (1 - left) * np.array([-1, -1, 1, 1]), rtol=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
def test_pairs_teach_the_order_and_not_the_values(library: str) -> None:
    x = np.random.default_rng(0).integers(0, 2, (60, 6)).astype(float)
    y = x @ np.array([1.0, 2, 4, 8, 16, 32])
    unlike = np.where(y < 32, y, y**3)  # the same order, a few values far away
    first, second = (made(library, rounds=40, loss="pairwise").fit(x, z).predict(x).mean for z in (y, unlike))
    assert np.corrcoef(np.argsort(np.argsort(first)), np.argsort(np.argsort(y)))[0, 1] > 0.95
    np.testing.assert_array_equal(np.argsort(first, kind="stable"), np.argsort(second, kind="stable"))
    assert second.mean() == pytest.approx(unlike.mean(), rel=1e-5)


def test_a_step_on_pairs_is_newton_s() -> None:
    """Of one pair at equal scores: |g| = 1/2 and h = 1/4, so each leaf gets 1/2 / (1/4 + λ) with λ = 1."""
    x, y = np.array([[0.0], [1.0]]), np.array([2.0, 9.0])
    np.testing.assert_allclose(PairwiseTrees(1, 1, 1.0, 0).fit(x, y).predict(x), [-0.4, 0.4])


def test_of_many_architectures_pairs_are_drawn() -> None:
    x = np.random.default_rng(0).normal(size=(ALL_PAIRS + 1, 2))
    scores = PairwiseTrees(20, 3, 0.3, 0).fit(x, x[:, 0]).predict(x)
    assert np.corrcoef(scores, x[:, 0])[0, 1] > 0.9


def test_a_library_that_is_absent_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(InputError, match=r"robust-nas\[boosting\]"):
        made("xgboost").fit(np.eye(3), np.arange(3.0))


@pytest.mark.parametrize("options", [{"rounds": 0}, {"depth": 0}, {"eta": 0.0}, {"eta": 1.1}, {"loss": "ranks"}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Expected"):
        BoostedTreesOptions(**options).check()  # type: ignore[arg-type]
