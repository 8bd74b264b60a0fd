"""The strategies `bo`, `xgb` and `xgb-rank`: what they propose, and the library with which a search goes on."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from nas.core.errors import InputError
from nas.search_spaces import NASBench201
from nas.strategies import Goal
from nas.strategies.acquisition import log_expected_improvement
from nas.strategies.bo import BO, BOOptions
from nas.strategies.predictors import boosted_trees
from nas.strategies.predictors.adjacency import encode
from nas.strategies.xgb import XGB, XGBOptions, XGBRank

GOALS = (Goal("score"),)
SPACE = NASBench201()


def value(arch: Any) -> float:
    operations = SPACE.canonical(arch).operations
    return float(sum(name == "nor_conv_3x3" for name in operations) + (operations[5] == "skip_connect"))


def begun(strategy: Any, count: int) -> list[Any]:
    archs = strategy.ask(count)
    for arch in archs:
        strategy.tell(arch, {"score": value(arch)})
    return list(archs)


@pytest.mark.parametrize("acquisition", ["ei", "ucb"])
def test_bo_proposes_the_largest_acquisition_among_all_classes(acquisition: str) -> None:
    strategy = BO(SPACE, GOALS, 1, BOOptions(acquisition=acquisition, kappa=0.7, init=15, batch=4))
    data = [SPACE.canonical(arch) for arch in begun(strategy, 15)]
    y = np.array(list(map(value, data)))
    process = GaussianProcessRegressor(RBF(3**0.5), alpha=0.01, optimizer=None)
    process.fit(encode(SPACE, data), (y - y.mean()) / y.std())
    left = [arch for arch in dict.fromkeys(map(SPACE.canonical, SPACE)) if arch not in data]
    mean, sd = process.predict(encode(SPACE, left), return_std=True)
    mean, sd = mean * y.std() + y.mean(), sd * y.std()
    worth = mean + 0.7 * sd if acquisition == "ucb" else log_expected_improvement(mean, sd, y.max())
    chosen = [left.index(arch) for arch in strategy.ask(4)]
    np.testing.assert_allclose(worth[chosen], np.sort(worth)[::-1][:4], rtol=1e-6)


@pytest.mark.parametrize("kind", [XGB, XGBRank])
def test_trees_find_the_better_cells(kind: Any) -> None:
    strategy = kind(SPACE, GOALS, 0, XGBOptions(rounds=30, init=40, batch=10))
    first = begun(strategy, 40)
    assert np.mean(list(map(value, begun(strategy, 10)))) > np.mean(list(map(value, first))) + 1.5


def test_a_search_goes_on_with_its_library_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    options = XGBOptions(rounds=3, init=5, whole=0)
    strategy = XGB(SPACE, GOALS, 0, options)
    begun(strategy, 5)
    state = strategy.state_dict()
    assert state["library"] == strategy.library
    for other in ("xgboost", "scikit-learn"):
        monkeypatch.setattr(boosted_trees, "find_spec", lambda name, other=other: other == "xgboost" or None)
        assert XGB(SPACE, GOALS, 0, options).library == other
        again = XGB(SPACE, GOALS, 0, options)
        again.load_state_dict({**state, "library": "scikit-learn"})
        assert again.library == "scikit-learn"
        again.ask(1)
    monkeypatch.setitem(sys.modules, "xgboost", None)
    again.load_state_dict({**state, "library": "xgboost"})
    with pytest.raises(InputError, match=r"robust-nas\[boosting\]"):
        again.ask(1)


@pytest.mark.parametrize("options", [{"acquisition": "eii"}, {"batch": 0}, {"length": -1.0}])
def test_impossible_settings_of_bo_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Expected"):
        BOOptions(**options).check()
