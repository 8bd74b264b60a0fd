"""The strategy `bo-graph`: what it proposes, against a Gaussian process of scikit-learn; what its logarithm does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern as Kernel

from nas.core.errors import InputError
from nas.core.limit import Limit, Limits
from nas.search_spaces import NASBench201
from nas.strategies import Goal, Hints
from nas.strategies.acquisition import log_expected_improvement
from nas.strategies.bo_graph import BOGraph, BOGraphOptions, log_distance, taken_in_turn
from nas.strategies.model_based import ModelBasedStrategy
from nas.strategies.predictors.matern import Matern, MaternOptions, centre_and_unit

SPACE = NASBench201()


def features(archs: Sequence[Any]) -> np.ndarray:
    """A few, so that the reference is quick: two are equal, one is constant."""
    rows = [[a.operations.count("nor_conv_3x3"), a.operations.count("skip_connect"), len(str(a)), 1.0] for a in archs]
    return np.array([[row[0], *row] for row in rows])


def value(arch: Any) -> float:
    operations = SPACE.canonical(arch).operations
    return float(sum(name == "nor_conv_3x3" for name in operations) + len(str(SPACE.canonical(arch))) / 20)


def test_it_proposes_the_largest_improvement_of_the_logarithm_among_all_classes() -> None:
    strategy = BOGraph(SPACE, (Goal("score"),), 1, BOGraphOptions(init=12, batch=4, explore=2), Hints(features))
    data = [SPACE.canonical(arch) for arch in strategy.ask(12)]
    for arch in data:
        strategy.tell(arch, {"score": value(arch)})
    y = np.array(list(map(value, data)))
    distance = y.max() - y
    y = -np.log(distance + 0.3 * np.median(distance))
    every = list(dict.fromkeys(map(SPACE.canonical, SPACE)))
    x = features(every)[:, :4]  # without the constant
    x = (x - x.mean(axis=0)) / x.std(axis=0) / 2  # by the root of their number
    rows = {arch: row for row, arch in enumerate(every)}
    process = GaussianProcessRegressor(Kernel(1.5, nu=2.5), alpha=0.01, optimizer=None)
    white = (y - y.mean()) / y.std()
    process.fit(x[[rows[arch] for arch in data]], white)
    left = [arch for arch in every if arch not in data]
    mean, sd = process.predict(x[[rows[arch] for arch in left]], return_std=True)
    scale = np.sqrt((white * process.alpha_).mean())
    worth, bound = log_expected_improvement(mean, sd * scale, white.max()), mean + 3 * sd * scale
    chosen = [left.index(SPACE.canonical(arch)) for arch in strategy.ask(4)]
    np.testing.assert_allclose(worth[chosen[0]], worth.max(), rtol=1e-6)
    np.testing.assert_allclose(bound[chosen[1]], np.delete(bound, chosen[0]).max(), rtol=1e-6)
    np.testing.assert_allclose(worth[chosen[2]], np.delete(worth, chosen[:2]).max(), rtol=1e-6)
    np.testing.assert_allclose(bound[chosen[3]], np.delete(bound, chosen[:3]).max(), rtol=1e-6)


def test_two_rankings_are_taken_in_turn() -> None:
    first, second = np.array([5.0, 4, 3, 2, 1]), np.array([1.0, 9, 3, 8, 2])
    assert np.argsort(-taken_in_turn(first, second, 2, 10)).tolist() == [0, 1, 2, 3, 4]
    assert np.argsort(-taken_in_turn(first, second, 2, 11)).tolist() == [1, 0, 3, 2, 4]
    assert np.argsort(-taken_in_turn(first, second, 3, 0)).tolist() == [0, 1, 3, 2, 4]
    assert np.argsort(-taken_in_turn(first[:1], second[:1], 2, 0)).tolist() == [0]


@pytest.mark.parametrize("bound", [2.0, 0.5])
def test_a_small_space_is_searched_as_a_large_one_whose_candidates_are_all_classes(bound: float) -> None:
    """The same proposals, by distances that are kept and by a model that is fitted anew.

    The second limit is one within which nothing good is known.
    """
    limits = Limits((Limit("cost", "<=", bound),))
    proposed = []
    for kind in (BOGraph, Anew):
        strategy: Any = kind(SPACE, (Goal("score"),), 3, BOGraphOptions(init=15, batch=4), Hints(features), limits)
        for arch in strategy.ask(15):
            strategy.tell(arch, {"score": value(arch), "cost": float(str(arch).count("3x3"))})
        proposed.append([str(SPACE.canonical(arch)) for arch in strategy.ask(4)])
    assert proposed[0] == proposed[1]


class Anew(BOGraph):
    """The path of large spaces in a small one."""

    def _choose(self, count: int) -> list[Any]:
        return ModelBasedStrategy._choose(self, count)


def test_the_logarithm_keeps_the_order_and_pulls_in_the_worst() -> None:
    y = np.array([10.0, 90.0, 91.0, 91.5, 91.6])
    targets = log_distance(y)
    assert (np.diff(targets) > 0).all()
    assert targets[4] - targets[3] > (targets[1] - targets[0]) / 10
    np.testing.assert_allclose(targets, [-np.log(91.6 - value + 0.3 * 0.6) for value in y])
    np.testing.assert_allclose(log_distance(np.array([1.0, 2.0, 2.0])), [-np.log(1.3), -np.log(0.3), -np.log(0.3)])
    assert log_distance(np.ones(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("standardise", [True, False])
def test_the_process_is_the_reference_for_several_targets(standardise: bool) -> None:
    rng = np.random.default_rng(0)
    x, z, y = rng.normal(size=(9, 3)), rng.normal(size=(5, 3)), rng.normal(size=(9, 2))
    centre, unit = (x.mean(axis=0), x.std(axis=0)) if standardise else (0.0, 1.0)
    found = Matern(0, MaternOptions(standardise=standardise)).fit(x, y).predict(z)
    for target in range(2):
        white = (y[:, target] - y[:, target].mean()) / y[:, target].std()
        process = GaussianProcessRegressor(Kernel(1.5, nu=2.5), alpha=0.01, optimizer=None)
        process.fit((x - centre) / unit / 3**0.5, white)
        mean, sd = process.predict((z - centre) / unit / 3**0.5, return_std=True)
        scale = y[:, target].std() * np.sqrt((white * process.alpha_).mean())
        np.testing.assert_allclose(found.mean[:, target], mean * y[:, target].std() + y[:, target].mean(), rtol=1e-8)
        np.testing.assert_allclose(found.sd[:, target], sd * scale, rtol=1e-6)


def test_features_without_a_deviation_do_not_count() -> None:
    x = np.array([[0.0, 5.0, 1.0], [2.0, 5.0, 3.0]])
    centre, unit = centre_and_unit(x)
    np.testing.assert_allclose((((x - centre) / unit) ** 2).sum(axis=1), [3, 3])


@pytest.mark.parametrize(
    "options",
    [BOGraphOptions(length=0), BOGraphOptions(noise=-1), BOGraphOptions(acquisition="x"), BOGraphOptions(explore=-1)],
)
def test_impossible_options_are_refused(options: BOGraphOptions) -> None:
    with pytest.raises(InputError, match="Expected"):
        options.check()
