"""Warm-up asks the best of its pool, and moves go where the cheap objective says, at the share that is set."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import NASBench201
from nas.strategies import Goal, Hints
from nas.strategies.random_search import RandomSearch
from nas.strategies.warmup_move import WarmupMove, WarmupMoveOptions

GOALS = (Goal("score"),)
SPACE = NASBench201()


def worth(arch: Any) -> float | None:
    """A cheap fitness without ties between classes; of some classes there is none."""
    number = derive(3, SPACE.canonical(arch))
    return None if number % 13 == 0 else number / 2**63


class Cheap:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, archs: Sequence[Any]) -> list[float | None]:
        self.calls.append(list(map(str, archs)))
        return list(map(worth, archs))


def made(seed: int = 0, cheap: Any = None, **options: Any) -> WarmupMove:
    values = {"warmup": 300, "pool": 20, "tournament": 5, **options}
    return WarmupMove(SPACE, GOALS, seed, WarmupMoveOptions(**values), Hints(cheap=cheap or Cheap()))


def key(arch: Any) -> str:
    return str(SPACE.canonical(arch))


def best_first(seed: int, warmup: int) -> list[str]:
    """The classes of the random pool that have a cheap fitness, ranked without the strategy."""
    rng = Random(seed)
    classes = {key(SPACE.sample(rng)) for _ in range(warmup)}
    rated = [(value, name) for name in classes if (value := worth(SPACE.parse(name))) is not None]
    return [name for _, name in sorted(rated, reverse=True)]


@pytest.mark.parametrize("ask", [1, 4, 20])
def test_the_best_of_the_pool_are_asked_first_the_best_first(ask: int) -> None:
    strategy = made(7)
    asked: list[str] = []
    while len(asked) < 20:
        archs = strategy.ask(ask)
        asked += map(key, archs)
        for arch in archs:
            strategy.tell(arch, {"score": 1.0})
    expected = best_first(7, 300)
    assert asked == expected[:20]
    (after,) = strategy.ask(1)
    assert key(after) != expected[20]
    assert any(after in SPACE.neighbors(member) for member, _ in strategy.population)


def test_infeasible_ones_are_replaced_by_the_next_of_the_ranking() -> None:
    strategy, asked = made(7), []
    while len(strategy.population) < 20:
        (arch,) = strategy.ask(1)
        asked.append(key(arch))
        strategy.tell(arch, None if len(asked) % 3 == 0 else {"score": 1.0})
    assert asked == best_first(7, 300)[: len(asked)]
    assert len(asked) == 29


def test_the_next_of_the_ranking_also_replace_those_of_a_batch_that_is_told_in_part() -> None:
    strategy, ranking = made(7, pool=4, tournament=2), best_first(7, 300)
    batch = strategy.ask(4)
    assert list(map(key, batch)) == ranking[:4]
    for arch, score in zip(batch, (1.0, None, None, 1.0)):
        strategy.tell(arch, None if score is None else {"score": score})
    assert list(map(key, strategy.ask(2))) == ranking[4:6]
    (move,) = strategy.ask(1)
    assert any(move in SPACE.neighbors(member) for member, _ in strategy.population)


def test_cheap_is_asked_in_lists_once_per_class_and_of_representatives() -> None:
    cheap = Cheap()
    strategy = made(1, cheap)
    for number in range(120):
        (arch,) = strategy.ask(1)
        strategy.tell(arch, {"score": float(number)})
    assert len(cheap.calls[0]) > 200
    assert len(cheap.calls) <= 1 + 100
    everything = [text for call in cheap.calls for text in call]
    assert len(set(everything)) == len(everything)
    assert all(key(SPACE.parse(text)) == text for text in everything)


def moves(strategy: WarmupMove, count: int) -> list[tuple[list[Any], Any]]:
    """From one parent (the best of a full tournament, which lives on as nothing else is told): (free around, child)."""
    parent = max(strategy.population, key=lambda pair: pair[1])[0]
    found = []
    asked = set(strategy.asked)
    for _ in range(count):
        free = [arch for arch in SPACE.neighbors(parent) if key(arch) not in asked]
        (child,) = strategy.ask(1)
        found.append((free or SPACE.neighbors(parent), child))
        asked.add(key(child))
    return found


def test_moves_go_to_the_best_new_neighbour_with_the_given_probability() -> None:
    hits, expected, total = 0, 0.0, 0
    for seed in range(60):
        strategy = made(seed, tournament=20)
        for arch in strategy.ask(20):
            strategy.tell(arch, {"score": derive(5, arch) / 2**63})
        for free, child in moves(strategy, 8):
            rated = [(value, str(arch)) for arch in free if (value := worth(arch)) is not None]
            assert child in free
            if not rated:
                continue
            best = max(value for value, _ in rated)
            likes = [text for value, text in rated if value == best]
            hits += str(child) in likes
            expected += 0.75 + 0.25 * len(likes) / len(free)
            total += 1
    assert total > 450
    assert abs(hits - expected) < 4 * (total * 0.2 * 0.8) ** 0.5


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_always_and_never(probability: float) -> None:
    cheap = Cheap()
    strategy = made(3, cheap, probability=probability, tournament=20)
    for arch in strategy.ask(20):
        strategy.tell(arch, {"score": derive(5, arch) / 2**63})
    for free, child in moves(strategy, 12):
        best = max((value for arch in free if (value := worth(arch)) is not None), default=None)
        assert (worth(child) == best) or probability == 0.0
    assert (len(cheap.calls) == 1) == (probability == 0.0), "a random move costs no cheap evaluation"


def test_the_oldest_dies_and_not_the_worst() -> None:
    strategy = made(0, pool=3, tournament=3)
    archs = strategy.ask(3)
    for number, arch in enumerate(archs):
        strategy.tell(arch, {"score": 100.0 - number})
    (child,) = strategy.ask(1)
    assert child in SPACE.neighbors(archs[0]), "of the best by its true fitness"
    strategy.tell(child, {"score": 0.0})
    assert [arch for arch, _ in strategy.population] == [*archs[1:], child]
    assert strategy.ask(1)[0] in SPACE.neighbors(archs[1])


def test_without_any_cheap_value_it_still_searches() -> None:
    strategy = made(0, lambda archs: [None] * len(archs))
    proposed = set()
    for number in range(60):
        (arch,) = strategy.ask(1)
        proposed.add(str(arch))
        strategy.tell(arch, None if number < 5 else {"score": 1.0})
    assert len(proposed) > 40


def test_restored_in_the_warm_up_it_does_not_draw_or_rank_again() -> None:
    first = made(4)
    for arch in first.ask(6):
        first.tell(arch, {"score": 1.0})
    cheap = Cheap()
    again = made(99, cheap)
    again.load_state_dict(first.state_dict())
    for _ in range(14):
        (arch,) = again.ask(1)
        again.tell(arch, {"score": 1.0})
        assert first.ask(1) == [arch]
        first.tell(arch, {"score": 1.0})
    assert cheap.calls == []
    assert again.state_dict()["ranking"] == [], "what will not be asked is not kept"


def test_a_good_cheap_objective_finds_more_than_chance() -> None:
    def true(arch: Any) -> float:
        return sum(("1x1" in op) + 2 * ("3x3" in op) for op in SPACE.canonical(arch).operations)

    found = {}
    for name in ("warmup-move", "random"):
        best = []
        for seed in range(5):
            strategy: Any = RandomSearch(SPACE, GOALS, seed)
            if name == "warmup-move":
                strategy = made(seed, lambda archs: [true(arch) + derive(1, arch) % 100 / 50 for arch in archs])
            archs = []
            for _ in range(60):
                (arch,) = strategy.ask(1)
                archs.append(arch)
                strategy.tell(arch, {"score": true(arch)})
            best.append(max(map(true, archs)))
        found[name] = sum(best)
    assert found["warmup-move"] > found["random"]


@pytest.mark.parametrize(
    "options", [{"tournament": 0}, {"tournament": 21}, {"pool": 301}, {"probability": 1.1}, {"probability": -0.1}]
)
def test_impossible_options_are_told(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=str(next(iter(options.values())))):
        WarmupMoveOptions(**{"warmup": 300, "pool": 20, "tournament": 5, **options}).check()
    WarmupMoveOptions().check()
