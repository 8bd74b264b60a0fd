"""What every registered strategy must do, on every registered space."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from families import one_of_all

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import SearchSpace
from nas.strategies import STRATEGIES, Goal, Hints, Strategy
from nas.strategies.generative.agnet import AGNet
from nas.strategies.predictors.extra_trees import ExtraTrees, ExtraTreesOptions
from nas.strategies.warmup_move import WarmupMove

GOALS = (Goal("score"),)
ROUNDS, ASK = 15, 4  # past the size of a population
OPTIONS: dict[str, dict[str, Any]] = {  # where the defaults are too slow for these tests, or not reached in them
    "agnet": {"init": 8, "batch": 6, "candidates": 10, "draws": 1, "epochs": 1, "pretraining": 64, "queries": 30,
        "generator": "marginals",
    },
    "agnet-posterior": {"init": 8, "batch": 6, "candidates": 10, "draws": 1, "epochs": 1, "pretraining": 64,
        "queries": 30, "generator": "marginals",
    },
    "bananas": {"candidates": 20, "members": 2, "layers": 2, "epochs": 5},
    "bo": {"whole": 0, "candidates": 20, "batch": 25},
    "bo-graph": {"whole": 0, "candidates": 20, "batch": 25},
    "evolution": {"population": 15, "tournament": 5},
    "evolution-ranks": {"population": 15, "tournament": 5},
    "guided": {"predictor": "extra-trees", "whole": 0, "candidates": 20, "init": 10, "batch": 25},
    "nsga2": {"population": 15},
    "warmup-move": {"warmup": 40, "pool": 10, "tournament": 4, "neighbours": 10},
    "xgb": {"rounds": 2, "depth": 2, "whole": 0, "candidates": 20, "init": 10, "batch": 25},
    "xgb-rank": {"rounds": 2, "depth": 2, "whole": 0, "candidates": 20, "init": 10, "batch": 25},
    "warmup-move by the objective": {
        "ranked_by": "objective", "warmup": 20, "pool": 5, "tournament": 2, "neighbours": 6
    },
}  # fmt: skip


@dataclasses.dataclass
class FewTrees(ExtraTreesOptions):
    trees: int = 10


ANY_SPACE = pytest.mark.parametrize("space", one_of_all(), indirect=True)  # for what hardly depends on the space


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guided search fits a forest at every step; what is tested here does not depend on its size."""
    monkeypatch.setattr(ExtraTrees, "Options", FewTrees)


class ByObjective(WarmupMove):
    """The same strategy in its other way."""

    name = "warmup-move by the objective"


KINDS: dict[str, type[Strategy[Any]]] = {**STRATEGIES.components, ByObjective.name: ByObjective}


def made(
    kind: type[Strategy[Any]], space: SearchSpace, seed: int, goals: tuple[Goal, ...] = GOALS, options: Any = None
) -> Strategy[Any]:
    """A strategy with every hint that it may need."""

    def features(archs: Sequence[Any]) -> np.ndarray:
        return np.stack([space.features(arch) for arch in archs])

    def cheap(archs: Sequence[Any]) -> list[float | None]:
        numbers = [derive(1, arch) for arch in archs]
        return [None if number % 11 == 0 else number % 1000 / 1000 for number in numbers]

    if issubclass(kind, AGNet) and not space.graph_forms() and len(goals) == 1:
        with pytest.raises(InputError, match=r"graphs of operations for strategy\.name=agnet(-posterior)? "):
            kind(space, goals, seed, small(kind), Hints(features, cheap))
        pytest.skip("the space has no graphs")
    return kind(space, goals, seed, options or small(kind), Hints(features, cheap))


def small(kind: type[Strategy[Any]]) -> Any:
    return kind.Options(**OPTIONS.get(kind.name, {}))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> type[Strategy[Any]]:
    return KINDS[request.param]


def score(arch: Any) -> dict[str, float] | None:
    """Any fixed function; every seventh architecture is infeasible."""
    number = derive(0, arch)
    return None if number % 7 == 0 else {"score": number % 1000 / 1000, "other": -1.0}


def rounds(strategy: Strategy[Any], count: int = ROUNDS) -> list[str]:
    proposed: list[str] = []
    for _ in range(count):
        archs = strategy.ask(ASK)
        proposed += map(str, archs)
        for arch in archs:
            strategy.tell(arch, score(arch))
    return proposed


def test_the_built_in_strategies_register_by_being_there() -> None:
    assert {"evolution", "local", "nsga2", "random", "warmup-move"} <= set(STRATEGIES.names())


def test_it_says_what_it_is(kind: type[Strategy[Any]]) -> None:
    assert kind.__doc__
    assert kind.__doc__.strip()
    options: Any = kind.Options()
    assert dataclasses.is_dataclass(options)
    if hasattr(options, "check"):
        options.check()  # the defaults are possible ones


@pytest.mark.parametrize("n", [1, 3, 8])
def test_ask_gives_as_many_as_asked(kind: type[Strategy[Any]], space: SearchSpace, n: int) -> None:
    strategy = made(kind, space, 0)
    for _ in range(3):
        archs = strategy.ask(n)
        assert len(archs) == n
        for arch in archs:
            assert space.parse(str(arch)) == arch
            strategy.tell(arch, score(arch))


@ANY_SPACE
def test_it_goes_on_when_everything_is_infeasible(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    strategy = made(kind, space, 0)
    proposed = set()
    for _ in range(30):
        for arch in strategy.ask(5):
            proposed.add(str(arch))
            strategy.tell(arch, None)
    assert len(proposed) > 20


def test_the_same_seed_proposes_the_same(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    first = rounds(made(kind, space, 3))
    Random(0).random()
    assert rounds(made(kind, space, 3)) == first
    assert rounds(made(kind, space, 4)) != first


@ANY_SPACE
@pytest.mark.parametrize("after", [0, 1, 10])
def test_a_restored_strategy_continues_with_the_same_proposals(
    kind: type[Strategy[Any]], space: SearchSpace, after: int
) -> None:
    whole = made(kind, space, 5)
    rounds(whole, after)
    saved = json.dumps(whole.state_dict(), allow_nan=False)
    expected = rounds(whole)
    again = made(kind, space, 999)
    rounds(again, 2)  # whatever it knew is replaced
    again.load_state_dict(json.loads(saved))
    assert json.dumps(again.state_dict()) == saved
    assert rounds(again) == expected


@ANY_SPACE
def test_a_state_taken_does_not_change_later(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    strategy = made(kind, space, 5)
    rounds(strategy, 3)
    state = strategy.state_dict()
    before = json.dumps(state)
    rounds(strategy, 3)
    assert json.dumps(state) == before
    loaded = made(kind, space, 6)
    loaded.load_state_dict(state)
    rounds(loaded, 3)
    assert json.dumps(state) == before


@ANY_SPACE
def test_a_state_between_the_tells_of_a_step_continues_too(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    whole = made(kind, space, 5)
    rounds(whole, 10)
    archs = whole.ask(ASK)
    for arch in archs[:2]:
        whole.tell(arch, score(arch))
    again = made(kind, space, 0)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for strategy in (whole, again):
        for arch in archs[2:]:
            strategy.tell(arch, score(arch))
    assert rounds(whole, 5) == rounds(again, 5)


@ANY_SPACE
def test_its_arguments_stay_as_they_are(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    options = small(kind)
    before = dataclasses.asdict(options)
    strategy = made(kind, space, 0, options=options)
    for _ in range(ROUNDS):
        for arch in strategy.ask(ASK):
            text, metrics = str(arch), score(arch)
            kept = None if metrics is None else dict(metrics)
            strategy.tell(arch, metrics)
            assert (str(arch), metrics) == (text, kept)
    assert dataclasses.asdict(options) == before
    assert (Goal("score"),) == GOALS


@ANY_SPACE
def test_all_randomness_is_its_own(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    import random

    import numpy as np
    import sklearn.ensemble  # noqa: F401 - draws from `random` when it is imported
    import torch

    before = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    rounds(made(kind, space, 0))
    after = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])


@ANY_SPACE
def test_it_takes_several_goals_or_says_that_it_does_not(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    goals = (Goal("score"), Goal("other", higher_is_better=False))
    if not kind.several:
        with pytest.raises(InputError, match=r"got 2; name one in search\.objective"):
            made(kind, space, 0, goals)
        return
    strategy = made(kind, space, 0, goals)
    assert len(set(rounds(strategy))) > ROUNDS


@ANY_SPACE
def test_it_says_which_hint_is_missing(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    for use, words in (("features", "Expected features"), ("cheap", r"search\.cheap")):
        needed = kind.needs(small(kind))
        if use in needed:
            others = {other: lambda archs: None for other in needed - {use}}
            with pytest.raises(InputError, match=words):
                kind(space, GOALS, 0, small(kind), Hints(**others))


@ANY_SPACE
def test_duplicates_and_late_answers_do_no_harm(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    """Two steps of any size asked before any answer, and some architectures told again."""
    strategy = made(kind, space, 0)
    for size in (1, 30, 3, 50, 2):
        archs = strategy.ask(size) + strategy.ask(2)
        assert len(archs) == size + 2
        for arch in archs + archs[::3]:
            strategy.tell(arch, score(arch))
    assert len(strategy.ask(3)) == 3


def test_the_goal_turns_the_metric() -> None:
    assert Goal("a").fitness({"a": 2.0, "b": 1.0}) == 2.0
    assert Goal("a", higher_is_better=False).fitness({"a": 2.0}) == -2.0
    with pytest.raises(KeyError):
        Goal("c").fitness({"a": 2.0})


def test_unknown_names_are_told() -> None:
    with pytest.raises(InputError, match="did you mean 'evolution'"):
        STRATEGIES.get("evolutio")
