"""NSGA-II: selection against the paper written out, its front against chance, generations of any ask size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from definitions import slow_crowding, slow_fronts

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.strategies import Goal
from nas.strategies.nsga2 import NSGA2, NSGA2Options
from nas.strategies.pareto import hypervolume, undominated
from nas.strategies.random_search import RandomSearch

SPACE = NASBench201()
GOALS = (Goal("strong"), Goal("weights", higher_is_better=False))
WORTH = {"none": 0.0, "skip_connect": 1.5, "avg_pool_3x3": 1.0, "nor_conv_1x1": 3.0, "nor_conv_3x3": 4.0}
PRICE = {"none": 0.0, "skip_connect": 0.2, "avg_pool_3x3": 0.3, "nor_conv_1x1": 1.0, "nor_conv_3x3": 9.0}


def metrics(arch: Any) -> dict[str, float]:
    """A trade-off with something of its own in every edge of a class's representative."""
    operations = SPACE.canonical(arch).operations
    return {
        "strong": sum(WORTH[name] * (1 + edge / 5) for edge, name in enumerate(operations)),
        "weights": sum(PRICE[name] * (2 - edge / 7) for edge, name in enumerate(operations)),
    }


def key(arch: Any) -> str:
    return str(SPACE.canonical(arch))


def survivors(parents: list[Any], children: list[Any], size: int) -> list[str]:
    """Who lives on, by the definitions."""
    members: dict[str, Any] = {}
    for arch in [*parents, *children]:
        members.setdefault(key(arch), arch)
    archs = list(members.values())
    rows = [[metrics(arch)["strong"], -metrics(arch)["weights"]] for arch in archs]
    kept: list[int] = []
    for front in slow_fronts(rows):
        distance = slow_crowding([rows[i] for i in front])
        order = sorted(range(len(front)), key=lambda at: -distance[at])
        kept += [front[at] for at in (range(len(front)) if len(kept) + len(front) <= size else order)]
        if len(kept) >= size:
            break
    return [str(archs[i]) for i in kept[:size]]


def test_it_says_when_all_of_a_search_is_random() -> None:
    strategy = NSGA2(SPACE, GOALS, 0, NSGA2Options(12))
    assert strategy.remark(13) is None
    assert "All 12 architectures of nsga2 are random draws" in (strategy.remark(12) or "")


def test_who_survives() -> None:
    size, strategy = 12, NSGA2(SPACE, GOALS, 0, NSGA2Options(12))
    parents: list[Any] = []
    for _ in range(15):
        children = []
        while len(children) < size:
            (arch,) = strategy.ask(1)
            strategy.tell(arch, metrics(arch))
            children.append(arch)
        expected = survivors(parents, children, size)
        parents = [arch for arch, _ in strategy.parents]
        assert sorted(map(str, parents)) == sorted(expected)
        assert strategy.children == []


def test_tournaments_prefer_the_front_then_the_empty_places() -> None:
    size, strategy = 10, NSGA2(SPACE, GOALS, 1, NSGA2Options(10))
    for _ in range(size):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, metrics(arch))
    archs = [arch for arch, _ in strategy.parents]
    rows = [[metrics(arch)["strong"], -metrics(arch)["weights"]] for arch in archs]
    rank, place = {}, {}
    for number, front in enumerate(slow_fronts(rows)):
        for row, distance in zip(front, slow_crowding([rows[i] for i in front])):
            rank[row], place[row] = number, distance
    assert len(set(rank.values())) > 1
    assert strategy.order == [(rank[row], -place[row]) for row in range(len(archs))]
    mothers = dict.fromkeys(range(len(archs)), 0.0)
    for child in strategy.ask(3000):
        possible = [row for row, arch in enumerate(archs) if child in SPACE.neighbors(arch)]
        for row in possible:
            mothers[row] += 1 / len(possible)
    # a member wins against those behind it, and half of the rivals are as often first as it is second
    order = sorted(rank, key=lambda row: (rank[row], -place[row]))
    chances = {row: 2 * (len(order) - 1 - at) / (len(order) * (len(order) - 1)) for at, row in enumerate(order)}
    half = len(order) // 2
    best, worst = sum(mothers[row] for row in order[:half]), sum(mothers[row] for row in order[half:])
    expected = sum(chances[row] for row in order[:half])
    assert best / (best + worst) == pytest.approx(expected, abs=0.1)
    assert mothers[order[-1]] < 0.05 * 3000


@pytest.mark.landing
@pytest.mark.parametrize("ask", [1, 7, 50])
def test_its_front_is_near_the_true_one_and_beats_chance(ask: int) -> None:
    everything = np.array([[m["strong"], -m["weights"]] for m in map(metrics, SPACE)])
    low, high = everything.min(axis=0), everything.max(axis=0)
    front = everything[undominated(everything)]
    true = hypervolume((front - low) / (high - low), np.zeros(2))
    budget, shares = 600, {}
    for kind in (NSGA2, RandomSearch):
        shares[kind] = []
        for seed in range(3):
            strategy: Any = (
                NSGA2(SPACE, GOALS, seed, NSGA2Options(30)) if kind is NSGA2 else RandomSearch(SPACE, GOALS[:1], seed)
            )
            found: list[list[float]] = []
            while len(found) < budget:
                for arch in strategy.ask(ask):
                    told = metrics(arch)
                    strategy.tell(arch, told)
                    found.append([told["strong"], -told["weights"]])
            rows = np.array(found[:budget])
            shares[kind].append(hypervolume((rows - low) / (high - low), np.zeros(2)) / true)
    assert min(shares[NSGA2]) > max(shares[RandomSearch])
    assert min(shares[NSGA2]) > 0.96


def test_with_one_goal_it_keeps_the_best() -> None:
    strategy, told = NSGA2(SPACE, GOALS[:1], 0, NSGA2Options(10)), {}
    for _ in range(400):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, {"strong": told.setdefault(key(arch), derive(0, key(arch)) % 1000 / 1000)})
    # the elite is never lost: told classes of the whole run, the best in the population but for the open generation
    assert max(fit[0] for _, fit in strategy.parents + strategy.children) == max(told.values())
    assert sorted((fit[0] for _, fit in strategy.parents), reverse=True) == [fit[0] for _, fit in strategy.parents]


def test_a_generation_is_as_many_answers_whatever_is_infeasible() -> None:
    strategy = NSGA2(SPACE, GOALS, 0, NSGA2Options(8))
    answers = 0
    for number in range(100):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, None if number % 3 == 0 else metrics(arch))
        answers += number % 3 != 0
        assert len(strategy.children) == answers % 8
        assert bool(strategy.parents) == (answers >= 8)
        assert len(strategy.parents) <= 8


def test_members_of_one_class_do_not_fill_the_population() -> None:
    strategy = NSGA2(SPACE, GOALS, 0, NSGA2Options(6))
    (arch,) = strategy.ask(1)
    for _ in range(6):
        strategy.tell(arch, metrics(arch))
    assert [member for member, _ in strategy.parents] == [arch]
    assert strategy.order == [(0, -0.0)]
    assert all(child in SPACE.neighbors(arch) for child in strategy.ask(5))


def test_extremes_are_never_crowded_out() -> None:
    strategy = NSGA2(SPACE, GOALS, 2, NSGA2Options(5))
    best = [-math.inf, -math.inf]
    for number in range(200):
        (arch,) = strategy.ask(1)
        told = metrics(arch)
        strategy.tell(arch, told)
        best = [max(best[0], told["strong"]), max(best[1], -told["weights"])]
        if number % 5 == 4:
            fits = np.array([fit for _, fit in strategy.parents])
            assert fits.max(axis=0).tolist() == best


def test_impossible_options_are_told() -> None:
    with pytest.raises(InputError, match=r"but got 1; set strategy\.population"):
        NSGA2Options(1).check()
    NSGA2Options().check()
