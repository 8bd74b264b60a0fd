"""Regularised evolution against algorithm 1 of Real et al., written out, and against random search."""

from __future__ import annotations

import json
from random import Random
from statistics import mean
from typing import Any

import pytest
from families import one_per_family

from nas.core.errors import InputError
from nas.search_spaces import SPACES, NASBench201, SearchSpace
from nas.strategies import STRATEGIES, Goal
from nas.strategies.evolution import Evolution, EvolutionOptions, NaszillaEvolution
from nas.strategies.random_search import RandomSearch

WORTH = {"none": 0.0, "skip_connect": 1.0, "avg_pool_3x3": 2.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
BEST = 6 * 4.0  # all edges nor_conv_3x3


def additive(arch: Any) -> float:
    """An easy objective: every edge adds its operation's worth."""
    return sum(WORTH[name] for name in arch.operations)


def any_score(arch: Any) -> float:
    return sum((i + 1) * ord(letter) for i, letter in enumerate(str(arch))) % 997


def algorithm_1(
    space: SearchSpace, cycles: int, population_size: int, tournament: int, seed: int, replacement: bool = True
) -> list[str]:
    """Aging evolution, line by line: `history` is what is evaluated, `population` a queue, oldest on the left.

    Without `replacement` as in versions before 0.2.0, and as in the release of DPS.
    """
    rng = Random(seed)
    population: list[tuple[Any, float]] = []
    history: list[str] = []
    while len(population) < population_size:
        arch = space.sample(rng)
        population.append((arch, any_score(arch)))
        history.append(str(arch))
    while len(history) < cycles:
        sample: list[tuple[Any, float]] = []
        if replacement:
            while len(sample) < tournament:
                sample.append(population[int(rng.random() * len(population))])
        else:
            sample = rng.sample(population, tournament)
        parent = sample[0]
        for candidate in sample[1:]:
            if candidate[1] > parent[1]:
                parent = candidate
        child = space.mutate(parent[0], rng)
        population.append((child, any_score(child)))
        history.append(str(child))
        del population[0]  # the oldest
    return history


def run(strategy: Any, budget: int, score: Any) -> list[Any]:
    proposed = []
    for _ in range(budget):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, {"score": score(arch)})
        proposed.append(arch)
    return proposed


@pytest.mark.parametrize("name", one_per_family())
@pytest.mark.parametrize(("population", "tournament"), [(10, 3), (1, 1), (7, 7)])
def test_it_is_algorithm_1(name: str, population: int, tournament: int) -> None:
    space = SPACES.get(name)()
    for seed in range(3):
        options = EvolutionOptions(population, tournament)
        got = run(Evolution(space, (Goal("score"),), seed, options), 80, any_score)
        assert list(map(str, got)) == algorithm_1(space, 80, population, tournament, seed)


def test_a_member_can_be_drawn_twice() -> None:
    """Of a full tournament the best member is missing in (1 - 1/P)^P of the draws: 1 - 0.33 for P = 10 is the share
    of its children."""
    space, size = NASBench201(), 10
    strategy = Evolution(space, (Goal("score"),), 0, EvolutionOptions(size, size))
    members = strategy.ask(size)
    for number, arch in enumerate(members):
        strategy.tell(arch, {"score": float(number)})
    assert all(members[-1] not in space.neighbors(member) for member in members[:-1])
    own = set(space.neighbors(members[-1])) - {near for member in members[:-1] for near in space.neighbors(member)}
    others = {near for member in members[:-1] for near in space.neighbors(member)} - set(space.neighbors(members[-1]))
    children = [child for child in strategy.ask(3000) if child in own or child in others]
    assert mean(child in own for child in children) == pytest.approx(1 - (1 - 1 / size) ** size, abs=0.03)


@pytest.mark.parametrize("name", one_per_family())
def test_a_state_of_before_goes_on_without_replacement(name: str) -> None:
    """Version 0.1 saved no word of how tournaments are drawn: a run of its goes on to the same proposals."""
    space, options = SPACES.get(name)(), EvolutionOptions(12, 5)
    expected = algorithm_1(space, 120, 12, 5, 3, replacement=False)
    before = Evolution(space, (Goal("score"),), 3, options)
    before.with_replacement = False
    assert list(map(str, run(before, 50, any_score))) == expected[:50]
    state = before.state_dict()
    assert state.pop("with_replacement") is False
    assert state.keys() == {"rng", "population"}  # as version 0.1 wrote it
    resumed = Evolution(space, (Goal("score"),), 9, options)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert list(map(str, run(resumed, 30, any_score))) == expected[50:80]
    again = Evolution(space, (Goal("score"),), 9, options)  # saved once more by this version
    again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
    assert list(map(str, run(again, 40, any_score))) == expected[80:]
    assert algorithm_1(space, 120, 12, 5, 3) != expected


def test_it_says_when_all_of_a_search_is_random() -> None:
    for options, first in ((EvolutionOptions(8, 3), 8), (EvolutionOptions(8, 3, init=4), 4)):
        strategy = Evolution(NASBench201(), (Goal("score"),), 0, options)
        assert strategy.remark(first + 1) is None
        assert f"All {first} architectures of evolution are random draws" in (strategy.remark(first) or "")


@pytest.mark.parametrize("name", ["guided", "bananas", "bo", "agnet"])
def test_a_strategy_with_a_model_says_so_too(name: str) -> None:
    kind: Any = STRATEGIES.get(name)
    strategy = object.__new__(kind)
    strategy.parts = ()  # of generators, which are read from the cache
    strategy.space, strategy.options, strategy.observed = NASBench201(), kind.Options(init=7), {}
    said = f"All 7 architectures of {name} are random draws, since it first draws 7; give it a smaller init."
    assert strategy.remark(7) == said
    assert strategy.remark(8) != said
    strategy.observed = dict.fromkeys("abc")  # of a warm start
    assert "first draws 4;" in (strategy.remark(4) or "")
    assert "random draws" not in (strategy.remark(5) or "")


def test_lower_is_better_is_the_mirror_image() -> None:
    space, options = NASBench201(), EvolutionOptions(8, 3)
    up = run(Evolution(space, (Goal("score"),), 1, options), 60, any_score)
    down = run(Evolution(space, (Goal("score", higher_is_better=False),), 1, options), 60, lambda a: -any_score(a))
    assert up == down
    assert up != run(Evolution(space, (Goal("score", False),), 1, options), 60, any_score)


def test_the_oldest_dies_and_not_the_worst() -> None:
    space = NASBench201()
    strategy = Evolution(space, (Goal("score"),), 0, EvolutionOptions(3, 3))
    first, *others = strategy.ask(5)
    strategy.tell(first, {"score": 100.0})
    for number, arch in enumerate(others):
        strategy.tell(arch, {"score": float(number)})
    assert [arch for arch, _ in strategy.population] == others[1:]
    children = strategy.ask(40)  # of those alive, mostly of the best
    alive = [set(space.neighbors(arch)) for arch in others[1:]]
    assert all(any(child in near for near in alive) for child in children)
    assert sum(child in alive[-1] for child in children) > 20


def test_infeasible_children_never_enter() -> None:
    strategy = Evolution(NASBench201(), (Goal("score"),), 0, EvolutionOptions(5, 2))
    feasible: list[Any] = []
    for number in range(60):
        (arch,) = strategy.ask(1)
        if number % 3 == 0:
            strategy.tell(arch, None)
        else:
            strategy.tell(arch, {"score": 1.0})
            feasible.append(arch)
        assert [member for member, _ in strategy.population] == feasible[-5:]


def test_the_start_is_random_until_the_population_is_full() -> None:
    space = NASBench201()
    strategy = Evolution(space, (Goal("score"),), 0, EvolutionOptions(5, 2))
    rng = Random(0)
    for _ in range(3):
        strategy.tell(strategy.ask(1)[0], None)
    assert strategy.ask(20) == [space.sample(rng) for _ in range(23)][3:]


def test_a_tournament_of_one_is_a_random_walk_and_of_all_is_greedy() -> None:
    def parents_rank(tournament: int) -> float:
        """Mean rank of the parent, 0 the best, by which member the child is a neighbour of."""
        space = NASBench201()
        strategy = Evolution(space, (Goal("score"),), 0, EvolutionOptions(20, tournament))  # unchecked
        for number, arch in enumerate(strategy.ask(20)):
            strategy.tell(arch, {"score": float(number)})
        members = [arch for arch, _ in strategy.population][::-1]
        return mean(
            next(rank for rank, member in enumerate(members) if child in space.neighbors(member))
            for child in strategy.ask(200)
        )

    assert parents_rank(20) < 1.5
    assert 1.5 < parents_rank(5) < 6 < parents_rank(1)
    assert parents_rank(1000) == 0


def test_it_finds_the_optimum_of_an_easy_objective_far_more_often_than_chance() -> None:
    space, budget = NASBench201(), 400
    margins, found = [], 0
    for seed in range(20):
        goals = (Goal("score"),)
        evolved = max(map(additive, run(Evolution(space, goals, seed, EvolutionOptions(30, 8)), budget, additive)))
        drawn = max(map(additive, run(RandomSearch(space, goals, seed), budget, additive)))
        margins.append(evolved - drawn)
        found += evolved == BEST
    assert min(margins) >= 0  # paired by seed
    assert mean(margins) > 1.0
    assert found >= 18


@pytest.mark.parametrize(("population", "tournament"), [(0, 0), (5, 0), (5, 6), (-1, -1)])
def test_impossible_options_are_told(population: int, tournament: int) -> None:
    with pytest.raises(InputError, match=f"tournament={tournament} population={population}"):
        EvolutionOptions(population, tournament).check()
    EvolutionOptions(5, 5).check()


def test_with_naszilla_s_settings_it_grows_from_ten_to_thirty() -> None:
    space = NASBench201()
    strategy = NaszillaEvolution(space, (Goal("score"),), 0)
    proposed = run(strategy, 50, additive)
    rng = Random(0)
    assert proposed[:10] == [space.sample(rng) for _ in range(10)]
    for at in range(10, 50):
        parents = proposed[max(0, at - 30) : at]
        assert any(sum(a != b for a, b in zip(proposed[at].operations, one.operations)) == 1 for one in parents)
    assert [arch for arch, _ in strategy.population] == proposed[-30:]
    with pytest.raises(InputError, match="init=31"):
        EvolutionOptions(30, 10, 31).check()


def test_it_has_one_goal() -> None:
    for goals in ((), (Goal("a"), Goal("b"))):
        with pytest.raises(InputError, match=f"got {len(goals)}; name one in search.objective"):
            Evolution(NASBench201(), goals, 0)
