"""Searches with a limit that is known only after an evaluation, for every strategy of one goal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nas.core.limit import Limit, Limits
from nas.search_spaces import NASBench201
from nas.strategies import STRATEGIES, Goal, Hints, Strategy
from nas.strategies.model_based import ModelBasedStrategy

SPACE = NASBench201()
LIMITS = Limits((Limit("cost", "<=", 1.0),))
SHARE = 0.13  # of the classes that are within the limit
OPTIONS: dict[str, dict[str, Any]] = {
    "agnet": {"generator": "marginals", "pretraining": 64, "epochs": 1, "init": 20},
    "agnet-posterior": {"generator": "marginals", "pretraining": 64, "epochs": 1, "init": 20},
    "bananas": {"members": 2, "layers": 2, "epochs": 100, "init": 20},
    "bo": {"whole": 0, "init": 20},
    "bo-graph": {"whole": 0, "init": 20},
    "evolution": {"population": 10, "tournament": 5},
    "evolution-ranks": {"population": 10, "tournament": 5},
    "guided": {"predictor": "gp", "whole": 0, "init": 20},
    "warmup-move": {"warmup": 40, "pool": 10, "tournament": 4, "neighbours": 10},
    "xgb": {"rounds": 15, "depth": 3, "whole": 0, "init": 20},
    "xgb-rank": {"rounds": 15, "depth": 3, "whole": 0, "init": 20},
}
MODELS = [name for name in STRATEGIES.names() if issubclass(STRATEGIES.get(name), ModelBasedStrategy)]


def metrics(arch: Any) -> dict[str, float]:
    """More convolutions are better, and at most one is within the limit."""
    count = float(sum("conv" in name for name in SPACE.canonical(arch).operations))
    return {"score": count, "cost": count}


def features(archs: Sequence[Any]) -> np.ndarray:
    return np.stack([SPACE.features(arch) for arch in archs])


def made(name: str, seed: int, limits: Limits = LIMITS) -> Strategy[Any]:
    kind = STRATEGIES.get(name)
    hints = Hints(features, lambda archs: [metrics(arch)["score"] for arch in archs])
    return kind(SPACE, (Goal("score"),), seed, kind.Options(**OPTIONS.get(name, {})), hints, limits)


def asked(strategy: Strategy[Any], rounds: int) -> list[Any]:
    proposed: list[Any] = []
    for _ in range(rounds):
        archs = strategy.ask(10)
        proposed += archs
        for arch in archs:
            tell = strategy.tell if LIMITS.hold(metrics(arch)) else strategy.tell_infeasible
            tell(arch, metrics(arch))
    return proposed


@pytest.mark.landing
@pytest.mark.parametrize(("name", "joint"), [*((name, False) for name in MODELS), ("bo", True)])
def test_models_learn_the_limit(name: str, joint: bool) -> None:
    strategy = made(name, 0, Limits(LIMITS.parts, joint))
    asked(strategy, 2)
    after = np.mean([LIMITS.hold(metrics(arch)) for arch in asked(strategy, 3)])
    assert after > 3 * SHARE  # more is not to be expected: the best within the limit lie next to what is outside
    assert isinstance(strategy, ModelBasedStrategy)
    assert len(strategy.limited) == len(strategy.observed)


def test_an_eighth_of_the_classes_is_within_the_limit() -> None:
    classes = set(map(SPACE.canonical, SPACE))
    assert np.mean([LIMITS.hold(metrics(arch)) for arch in classes]) == pytest.approx(SHARE, abs=0.005)


@pytest.mark.landing
@pytest.mark.parametrize("name", STRATEGIES.names())
def test_a_restored_search_with_limits_goes_on_in_the_same_way(name: str) -> None:
    strategy = made(name, 1)
    asked(strategy, 3)
    state = json.dumps(strategy.state_dict(), allow_nan=False)
    again = made(name, 2)
    again.load_state_dict(json.loads(state))
    assert asked(again, 1) == asked(strategy, 1)


def test_the_others_treat_what_is_outside_as_failed() -> None:
    strategy = made("evolution", 0)
    asked(strategy, 5)
    assert all(LIMITS.hold(metrics(arch)) for arch, _ in strategy.population)  # type: ignore[attr-defined]
    assert len(strategy.population) > 0  # type: ignore[attr-defined]


def test_the_best_so_far_is_within_the_limits() -> None:
    strategy = made("bo", 0)
    assert isinstance(strategy, ModelBasedStrategy)
    asked(strategy, 2)
    fitness = np.array([fit for _, fit in strategy.observed.values()])
    assert fitness.max() > 1
    assert strategy._best(fitness) <= 1
    assert metrics(strategy._ranking()[0])["cost"] <= 1
    strategy.limited = {key: [9.0] for key in strategy.observed}
    assert strategy._best(fitness) == fitness.min()
