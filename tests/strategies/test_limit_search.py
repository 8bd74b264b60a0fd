"""What a search asks for while it knows nothing good within its limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from nas.core.limit import Limit, Limits
from nas.search_spaces import NASBench201
from nas.strategies import STRATEGIES, Goal
from nas.strategies.limit_search import log_probability, nothing_good, towards
from nas.strategies.model_based import ModelBasedStrategy
from nas.strategies.predictors import Prediction

LIMITS = Limits((Limit("latency", "<=", 4.0), Limit("speed", ">=", 1.0)))


def test_nothing_is_good_that_a_random_draw_would_beat() -> None:
    fitness = np.array([1.0, 2.0, 3.0, 8.0, 9.0, 9.0, 9.0])
    first, last = fitness == 3.0, fitness == 8.0

    assert nothing_good(fitness, fitness > 10, init=3)
    assert nothing_good(fitness, first, init=3)  # no better than 8, the median of all
    assert nothing_good(fitness, last, init=3)  # equal to it
    late = np.array([9.0, 9.0, 9.0, 6.0, 3.0, 2.0, 1.0, 1.0])
    assert nothing_good(late, late == 6.0, init=3)  # better than 4.5, the median of all, but the first three have 9
    assert not nothing_good(fitness, fitness == 9.0, init=3)
    assert not nothing_good(fitness, fitness >= 8.0, init=3)


def test_log_probability_is_that_of_independent_normal_quantities() -> None:
    rng = np.random.default_rng(0)
    mean, sd = rng.normal(3, 2, (40, 2)), rng.uniform(0.1, 3, (40, 2))

    expected = norm.logcdf(4.0, mean[:, 0], sd[:, 0]) + norm.logsf(1.0, mean[:, 1], sd[:, 1])

    assert np.allclose(log_probability(LIMITS, Prediction(mean, sd)), expected, rtol=1e-10)


def test_log_probability_without_uncertainty() -> None:
    mean = np.array([[4.0, 1.0], [3.0, 2.0], [4.5, 2.0], [3.0, 0.5]])
    assert log_probability(LIMITS, Prediction(mean, np.zeros((4, 2)))).tolist() == [0, 0, -math.inf, -math.inf]


def literal_order(worth: Any, fitness: Prediction, best: float, quantities: Prediction, unit: Any) -> list[int]:
    """The order of `towards`, a candidate at a time."""

    def place(row: int) -> tuple[float, float, float]:
        mean, sd = float(fitness.mean[row]), float(fitness.sd[row])
        (latency, speed), spread = quantities.mean[row], quantities.sd[row]
        if fitness.sd.any():
            z = (mean - best) / sd
            improvement = math.log((mean - best) * norm.cdf(z) + sd * norm.pdf(z))
            probability = norm.cdf(4.0, latency, spread[0]) * norm.sf(1.0, speed, spread[1])
            return -(improvement + min(0, math.log(2 * probability))), 0.0, -worth[row]
        if not mean > best:
            return 2, 0.0, -worth[row]
        if latency <= 4 and speed >= 1:
            return 0, 0.0, -worth[row]
        return 1, max(latency - 4, 0) / unit[0] + max(1 - speed, 0) / unit[1], -worth[row]

    return sorted(range(len(worth)), key=place)


@pytest.mark.parametrize("uncertain", [True, False])
def test_candidates_are_ordered_as_one_by_one(uncertain: bool) -> None:
    rng = np.random.default_rng(1)
    unit = np.array([2.0, 0.5])
    fitness = Prediction(rng.normal(0, 1, 60), rng.uniform(0.1, 0.5, 60) if uncertain else np.zeros(60))
    quantities = Prediction(rng.normal([4, 1], 2, (60, 2)), rng.uniform(0.5, 2, (60, 2)))
    worth = rng.normal(0, 1, 60)

    order = towards(LIMITS, worth, fitness, 0.0, quantities, unit)

    assert order.tolist() == literal_order(worth, fitness, 0.0, quantities, unit)


def test_without_uncertainty_what_is_only_as_good_as_the_best_within_comes_last() -> None:
    fitness = Prediction(np.array([1.0, 2.0]), np.zeros(2))
    inside = Prediction(np.array([[3.0, 2.0]] * 2), np.zeros((2, 2)))
    outside = Prediction(np.array([[3.0, 2.0], [5.0, 2.0]]), np.zeros((2, 2)))

    assert towards(LIMITS, np.array([9.0, 2.0]), fitness, 1.0, inside, np.ones(2)).tolist() == [1, 0]
    assert towards(LIMITS, np.array([9.0, 2.0]), fitness, 1.0, outside, np.ones(2)).tolist() == [1, 0]


def test_of_candidates_that_are_surely_no_better_the_worthiest_comes_first() -> None:
    fitness = Prediction(np.array([0.5, 0.5, 0.9]), np.array([0.0, 0.0, 1.0]))
    inside = Prediction(np.array([[3.0, 2.0]] * 3), np.ones((3, 2)))
    assert towards(LIMITS, np.array([1.0, 3.0, 2.0]), fitness, 1.0, inside, np.ones(2)).tolist() == [2, 1, 0]


SPACE = NASBench201()
BOUND = Limit("cost", "<=", 1.0)


def begun(name: str, found: list[tuple[float, float]], joint: bool = False) -> ModelBasedStrategy[Any]:
    """A search of two random cells at the start that knows cells of these scores and costs."""
    kind = STRATEGIES.get(name)
    limits = Limits((BOUND,), joint)
    strategy = kind(SPACE, (Goal("score"),), 0, kind.Options(init=2), limits=limits)
    assert isinstance(strategy, ModelBasedStrategy)
    for score, cost in found:
        strategy.know(strategy._random(strategy.asked), {"score": score, "cost": cost}, cost <= 1)
    return strategy


@pytest.mark.parametrize(
    ("found", "joint", "first"),
    [
        ([(2.0, 3.0), (1.0, 1.0), (3.0, 3.0)], False, 2),  # what is within is no better than random cells
        ([(2.0, 3.0), (5.0, 3.0)], False, 2),
        ([(9.0, 3.0), (9.0, 3.0), (5.0, 1.0), (1.0, 3.0), (1.0, 3.0), (1.0, 3.0)], False, 2),  # 9 at the start
        ([(2.0, 3.0), (4.0, 1.0), (3.0, 3.0)], False, 1),  # as soon as it is, what is predicted within comes first
        ([(2.0, 3.0), (1.0, 1.0), (3.0, 3.0)], True, 1),
    ],
)
def test_useless_candidates_within_the_limit_come_first_only_if_something_good_is_known_there(
    found: list[tuple[float, float]], joint: bool, first: int
) -> None:
    strategy = begun("bo", found, joint)
    mean, sd = np.array([0.9, 0.8, 6.0, 5.0]), np.array([0.01, 0.05, 0.01, 0.01])  # the second may be improved most
    costs = Prediction(np.array([[0.5], [0.5], [1.5], [2.0]]), np.full((4, 1), 0.5))

    order = strategy._order(mean, sd, np.array([score for score, _ in found]), lambda: costs)

    assert order[0] == first


def test_distances_to_limits_are_in_units_of_what_is_known() -> None:
    kind = STRATEGIES.get("bo")
    strategy = kind(SPACE, (Goal("score"),), 0, kind.Options(init=2), limits=Limits((BOUND, Limit("size", "<=", 1.0))))
    assert isinstance(strategy, ModelBasedStrategy)
    for cost, size in ((2.0, 200.0), (3.0, 300.0), (4.0, 400.0)):
        strategy.know(strategy._random(strategy.asked), {"score": 0.0, "cost": cost, "size": size}, False)
    candidates = Prediction(np.array([[2.0, 0.0], [1.0, 31.0]]), np.zeros((2, 2)))

    order = strategy._order(np.ones(2), np.zeros(2), np.zeros(3), lambda: candidates)

    assert order.tolist() == [1, 0]


def test_with_joint_ranks_the_known_are_ordered_by_them() -> None:
    found = [(5.0, 9.0), (1.0, 3.0), (4.0, 1.5)]
    strategy = begun("bananas", found, joint=True)
    assert [strategy.observed[strategy._key(arch)][1] for arch in strategy._ranking()] == [4.0, 5.0, 1.0]


def test_each_limited_quantity_is_predicted_from_its_own_column() -> None:
    strategy = begun("bo", [(1.0, 3.0), (2.0, 2.0), (3.0, 4.0)])
    seen = strategy._features([arch for arch, _ in strategy.observed.values()])
    values = np.array([[3.0, 30.0], [2.0, 50.0], [4.0, 20.0]])

    predicted = strategy._quantities(seen, values, seen)

    for column in range(2):
        alone = strategy._model(0).fit(seen, values[:, column]).predict(seen)
        assert np.allclose(predicted.mean[:, column], alone.mean)
        assert np.allclose(predicted.sd[:, column], alone.sd)


def test_a_quantity_that_does_not_vary_has_a_unit_of_one() -> None:
    values = np.array([[4.0, 1.0], [6.0, 1.0], [5.0, 0.5]])
    assert LIMITS.excess(values, np.array([2.0, 0.0])).tolist() == [0.0, 1.0, 1.0]


def test_what_is_nearly_within_the_limits_is_mutated_before_what_is_far_outside() -> None:
    found = [(5.0, 9.0), (1.0, 1.5), (4.0, 3.0), (2.0, 1.5), (1.0, 0.5), (3.0, 1.0)]
    strategy = begun("bananas", found)

    known = dict(zip(strategy.observed, found))
    ranking = [known[strategy._key(arch)] for arch in strategy._ranking()]

    assert ranking == [(3.0, 1.0), (1.0, 0.5), (2.0, 1.5), (1.0, 1.5), (4.0, 3.0), (5.0, 9.0)]
