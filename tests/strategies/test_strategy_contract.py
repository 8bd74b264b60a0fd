"""What every registered strategy must do, on every registered space."""

from __future__ import annotations

import dataclasses
import json
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import SearchSpace
from nas.strategies import STRATEGIES, Goal, Strategy

GOALS = (Goal("score"),)
ROUNDS, ASK = 40, 4  # past the default size of a population


@pytest.fixture(params=STRATEGIES.names())
def kind(request: pytest.FixtureRequest) -> type[Strategy[Any]]:
    return STRATEGIES.get(request.param)


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
    assert {"evolution", "random"} <= set(STRATEGIES.names())


def test_it_says_what_it_is(kind: type[Strategy[Any]]) -> None:
    assert kind.__doc__
    assert kind.__doc__.strip()
    options: Any = kind.Options()
    assert dataclasses.fields(options) is not None  # a dataclass
    if hasattr(options, "check"):
        options.check()  # the defaults are possible ones


@pytest.mark.parametrize("n", [1, 3, 8])
def test_ask_gives_as_many_as_asked(kind: type[Strategy[Any]], space: SearchSpace, n: int) -> None:
    strategy = kind(space, GOALS, 0)
    for _ in range(3):
        archs = strategy.ask(n)
        assert len(archs) == n
        for arch in archs:
            assert space.parse(str(arch)) == arch
            strategy.tell(arch, score(arch))


def test_it_goes_on_when_everything_is_infeasible(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    strategy = kind(space, GOALS, 0)
    proposed = set()
    for _ in range(30):
        for arch in strategy.ask(5):
            proposed.add(str(arch))
            strategy.tell(arch, None)
    assert len(proposed) > 20


def test_the_same_seed_proposes_the_same(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    first = rounds(kind(space, GOALS, 3))
    Random(0).random()
    assert rounds(kind(space, GOALS, 3)) == first
    assert rounds(kind(space, GOALS, 4)) != first


@pytest.mark.parametrize("after", [0, 1, 30])
def test_a_restored_strategy_continues_with_the_same_proposals(
    kind: type[Strategy[Any]], space: SearchSpace, after: int
) -> None:
    whole = kind(space, GOALS, 5)
    rounds(whole, after)
    saved = json.dumps(whole.state_dict(), allow_nan=False)
    expected = rounds(whole)
    again = kind(space, GOALS, 999)
    rounds(again, 2)  # whatever it knew is replaced
    again.load_state_dict(json.loads(saved))
    assert json.dumps(again.state_dict()) == saved
    assert rounds(again) == expected


def test_a_state_taken_does_not_change_later(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    strategy = kind(space, GOALS, 5)
    rounds(strategy, 3)
    state = strategy.state_dict()
    before = json.dumps(state)
    rounds(strategy, 3)
    assert json.dumps(state) == before
    loaded = kind(space, GOALS, 6)
    loaded.load_state_dict(state)
    rounds(loaded, 3)
    assert json.dumps(state) == before


def test_a_state_between_the_tells_of_a_step_continues_too(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    whole = kind(space, GOALS, 5)
    rounds(whole, 30)
    archs = whole.ask(ASK)
    for arch in archs[:2]:
        whole.tell(arch, score(arch))
    again = kind(space, GOALS, 0)
    again.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for strategy in (whole, again):
        for arch in archs[2:]:
            strategy.tell(arch, score(arch))
    assert rounds(whole, 5) == rounds(again, 5)


def test_its_arguments_stay_as_they_are(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    options = kind.Options()
    before = dataclasses.asdict(options)
    strategy = kind(space, GOALS, 0, options)
    for _ in range(30):
        for arch in strategy.ask(ASK):
            text, metrics = str(arch), score(arch)
            kept = None if metrics is None else dict(metrics)
            strategy.tell(arch, metrics)
            assert (str(arch), metrics) == (text, kept)
    assert dataclasses.asdict(options) == before
    assert (Goal("score"),) == GOALS


def test_all_randomness_is_its_own(kind: type[Strategy[Any]], space: SearchSpace) -> None:
    import random

    import numpy as np
    import torch

    before = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    rounds(kind(space, GOALS, 0), 30)
    after = random.getstate(), str(np.random.get_state()), torch.random.get_rng_state()
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])


def test_the_goal_turns_the_metric() -> None:
    assert Goal("a").fitness({"a": 2.0, "b": 1.0}) == 2.0
    assert Goal("a", higher_is_better=False).fitness({"a": 2.0}) == -2.0
    with pytest.raises(KeyError):
        Goal("c").fitness({"a": 2.0})


def test_unknown_names_are_told() -> None:
    with pytest.raises(InputError, match="did you mean 'evolution'"):
        STRATEGIES.get("evolutio")
