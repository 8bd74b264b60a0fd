"""Local search against the paper's algorithm written out, and how it comes out of a local optimum."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from families import one_per_family

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import SPACES, NASBench201, SearchSpace
from nas.strategies import Goal
from nas.strategies.local_search import LocalSearch, LocalSearchOptions, NaszillaLocalSearch
from nas.strategies.random_search import RandomSearch

GOALS = (Goal("score"),)
SPACE = NASBench201()
WORTH = {"none": 0.0, "skip_connect": 1.0, "avg_pool_3x3": 2.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}


def unimodal(arch: Any) -> float:
    """Of a class, by its representative: the operations' worth; from everywhere a change of one edge leads up."""
    return sum(WORTH[name] for name in SPACE.canonical(arch).operations)


def rugged(arch: Any) -> float:
    return derive(0, key(arch)) % 997


def key(arch: Any) -> str:
    return str(SPACE.canonical(arch))


def run(strategy: Any, budget: int, score: Callable[[Any], float | None], ask: int = 1) -> list[Any]:
    """Evaluates `budget` different classes, as a search does; known ones are told at once."""
    known: dict[str, float | None] = {}
    proposed: list[Any] = []
    while len(known) < budget and len(proposed) < 50 * budget:
        archs = strategy.ask(ask)
        proposed += archs
        for arch in archs:
            value = known.setdefault(key(arch), score(SPACE.canonical(arch)))
            strategy.tell(arch, None if value is None else {"score": value})
    return proposed


def algorithm_1(space: SearchSpace, restarts: int, seed: int, score: Callable[[Any], float]) -> list[list[Any]]:
    """The path of each climb: all neighbours are evaluated, then the best is taken if it is better."""
    rng, seen, paths = Random(seed), set(), []

    def of(arch: Any) -> float:
        seen.add(str(space.canonical(arch)))
        return score(space.canonical(arch))

    for _ in range(restarts):
        current = space.sample(rng)
        while str(space.canonical(current)) in seen:
            current = space.sample(rng)
        path, value = [current], of(current)
        while True:
            values = [of(arch) for arch in space.neighbors(current)]
            if max(values) <= value:
                break
            value = max(values)
            current = space.neighbors(current)[values.index(value)]
            path.append(current)
        paths.append(path)
    return paths


def test_it_climbs_as_the_paper_does() -> None:
    for seed in range(4):
        strategy, moves = LocalSearch(SPACE, GOALS, seed), []
        original = strategy._move

        def noted(arch: Any, original: Any = original, moves: list[Any] = moves) -> None:
            moves.append(arch)
            original(arch)

        strategy._move = noted  # type: ignore[method-assign]
        run(strategy, 400, rugged)
        expected: list[Any] = []
        for path in algorithm_1(SPACE, 60, seed, rugged):
            expected += [*path, None]
        assert len(moves) > 20
        assert moves == expected[: len(moves)]
        assert None in moves


def test_it_finds_the_optimum_of_a_unimodal_function() -> None:
    best = max(map(unimodal, SPACE))
    for seed in range(5):
        proposed = run(LocalSearch(SPACE, GOALS, seed), 200, unimodal)
        assert max(map(unimodal, proposed)) == best
        drawn = run(RandomSearch(SPACE, GOALS, seed), 200, unimodal)
        assert max(map(unimodal, drawn)) < best


def test_at_a_local_optimum_it_starts_anew_and_far_away() -> None:
    strategy = LocalSearch(SPACE, GOALS, 0)
    (start,) = strategy.ask(1)
    strategy.tell(start, {"score": 10.0})
    around = {key(arch) for arch in SPACE.neighbors(start)} - {key(start)}
    asked = []
    while True:
        (arch,) = strategy.ask(1)
        if key(arch) not in around:
            break
        asked.append(key(arch))
        strategy.tell(arch, {"score": 10.0})  # no better: a plateau is no way up
    assert sorted(asked) == sorted(around), "every class around, each once"
    assert arch not in SPACE.neighbors(start)


def test_a_class_is_asked_once_whatever_the_size_of_ask() -> None:
    for ask in (1, 7, 60):
        proposed = run(LocalSearch(SPACE, GOALS, 1), 500, rugged, ask)
        assert len(set(map(key, proposed))) == len(proposed)


def test_infeasible_neighbours_end_a_climb_and_not_the_search() -> None:
    strategy = LocalSearch(SPACE, GOALS, 2)
    feasible: list[Any] = []
    for _ in range(300):
        (arch,) = strategy.ask(1)
        alone = all(arch not in SPACE.neighbors(other) for other in feasible)
        strategy.tell(arch, {"score": 1.0} if alone else None)
        feasible += [arch] if alone else []
    assert len(feasible) > 5, "a restart after each wall"


def test_a_space_without_anything_new_does_not_hang() -> None:
    strategy = LocalSearch(SPACE, GOALS, 0)
    for arch in SPACE:
        strategy.tell(arch, {"score": rugged(arch)})
    assert len(strategy.ask(200)) == 200


@pytest.mark.landing
@pytest.mark.parametrize("name", one_per_family())
@pytest.mark.parametrize("ask", [1, 10, 300])
def test_every_neighbour_is_known_before_a_move(name: str, ask: int) -> None:
    space = SPACES.get(name)()
    strategy = LocalSearch(space, GOALS, 3)
    told: dict[str, float] = {}
    for _ in range(900 // ask):
        for arch in strategy.ask(ask):
            told.setdefault(str(space.canonical(arch)), derive(1, space.canonical(arch)) % 1009)
            before = strategy.current
            strategy.tell(arch, {"score": told[str(space.canonical(arch))]})
            assert strategy.current is before, "moves are made when asked"
        if strategy.current is not None:
            assert str(space.canonical(strategy.current)) in told
    assert strategy.known == told


def test_twenty_random_starts_are_drawn_at_most() -> None:
    drawn = 0

    class Narrow(NASBench201):
        def sample(self, rng: Random) -> Any:
            nonlocal drawn
            drawn += 1
            return self.largest()

    strategy = LocalSearch(Narrow(), GOALS, 0)
    strategy.ask(1)
    assert drawn == 1
    strategy.ask(1)  # the largest cell is asked for already
    assert drawn == 1 + 20


def test_with_the_first_improvement_it_moves_at_once_and_begins_at_the_best_of_ten() -> None:
    strategy = NaszillaLocalSearch(SPACE, GOALS, 5)
    proposed = run(strategy, 60, unimodal)
    best = max(proposed[:10], key=unimodal)
    assert best != proposed[0]
    current, moves = best, 0
    for arch in proposed[10:]:
        if all(key(other) in set(map(key, proposed[: proposed.index(arch)])) for other in SPACE.neighbors(current)):
            break  # a local optimum: the next climb begins
        assert arch in set(SPACE.neighbors(current))
        if unimodal(arch) > unimodal(current):
            current, moves = arch, moves + 1
    assert moves > 1


@pytest.mark.parametrize("options", [{"improvement": "last"}, {"init": 0}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Expected"):
        LocalSearchOptions(**options).check()


def test_the_order_of_neighbours_is_of_the_seed_and_is_kept() -> None:
    """Else runs with several seeds would climb in the same way, and their spread would be too small."""

    def neighbours(strategy: LocalSearch) -> list[str]:
        strategy._move(SPACE.largest())
        return [name for name, _ in strategy._neighbours]

    one, other, again = (NaszillaLocalSearch(SPACE, GOALS, seed) for seed in (0, 1, 2))
    assert neighbours(one) == neighbours(NaszillaLocalSearch(SPACE, GOALS, 0)) != neighbours(other)
    assert sorted(neighbours(one)) == sorted(neighbours(other))
    state = one.state_dict()
    again.load_state_dict(state)
    assert neighbours(again) == neighbours(one)
    del state["order"]  # saved by an earlier version
    again.load_state_dict(state)
    earlier = list(map(key, SPACE.neighbors(SPACE.largest())))
    Random(derive(0, "neighbours", str(SPACE.largest()))).shuffle(earlier)
    assert neighbours(again) == earlier
