"""Warm-up and moves ranked by the objective itself: every network that is ranked is asked, once."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.search_spaces import SPACES, NASBench201
from nas.strategies import Goal, Hints
from nas.strategies.warmup_move import WarmupMove, WarmupMoveOptions

SPACE = NASBench201()


def key(arch: Any) -> str:
    return str(SPACE.canonical(arch))


def score(arch: Any) -> float:
    """Without ties between classes."""
    return derive(5, key(arch)) / 2**63


def made(seed: int = 0, hints: Hints | None = None, space: Any = SPACE, **options: Any) -> WarmupMove:
    values = {"warmup": 20, "pool": 1, "tournament": 1, "probability": 1.0, "neighbours": 5, **options}
    return WarmupMove(space, (Goal("score"),), seed, WarmupMoveOptions(ranked_by="objective", **values), hints)


def asked(strategy: WarmupMove, n: int) -> list[Any]:
    archs = strategy.ask(n)
    for arch in archs:
        strategy.tell(arch, {"score": score(arch)})
    return archs


def test_warm_up_is_random_and_each_move_goes_on_from_the_best_of_its_neighbours() -> None:
    strategy = made(3)
    warm = asked(strategy, 20)
    rng, drawn = Random(3), []
    while len(drawn) < 20:
        arch = SPACE.sample(rng)
        if key(arch) not in set(map(key, drawn)):
            drawn.append(arch)
    assert warm == drawn
    seen, parent = set(map(key, warm)), max(warm, key=score)
    for _ in range(15):
        children = asked(strategy, 5)
        around = SPACE.neighbors(parent)
        assert all(child in around for child in children)
        assert len(set(map(key, children))) == 5
        assert not seen & set(map(key, children)), "no class is scored again"
        seen |= set(map(key, children))
        parent = max(children, key=score)  # also where the parent was better: the oldest dies


@pytest.mark.parametrize("ask", [1, 3, 8])
def test_a_move_may_be_asked_in_parts(ask: int) -> None:
    """Asked one by one, parents are those of whole moves; asked with more, moves overlap but none is cut short."""
    strategy, found = made(3), []
    for _ in range(240):
        found += asked(strategy, ask)
        if len(found) >= 120:
            break
    assert len(set(map(key, found))) == len(found)
    if ask == 1:
        whole = made(3)
        assert found[:120] == [*asked(whole, 20), *(child for _ in range(20) for child in asked(whole, 5))]


def test_the_best_of_the_warm_up_are_the_first_population() -> None:
    strategy = made(1, pool=6, tournament=6)
    warm = asked(strategy, 20)
    best = sorted(warm, key=score, reverse=True)
    assert [arch for arch, _ in strategy.population] == best[:6]
    children = asked(strategy, 5)
    assert all(child in SPACE.neighbors(best[0]) for child in children)
    assert [arch for arch, _ in strategy.population] == [*best[1:6], max(children, key=score)]


def test_what_fails_does_not_count_for_the_warm_up() -> None:
    strategy, told = made(1), 0
    while not strategy.population:
        (arch,) = strategy.ask(1)
        told += 1
        strategy.tell(arch, None if told % 3 == 0 else {"score": score(arch)})
    assert told - told // 3 == 20


def test_only_what_the_limits_allow_is_asked() -> None:
    def allowed(archs: Any) -> list[bool]:
        return [derive(7, key(arch)) % 4 > 0 for arch in archs]

    strategy = made(2, Hints(allowed=allowed))
    found = [arch for _ in range(30) for arch in asked(strategy, 5)]
    assert all(allowed(found))


def test_a_move_to_a_random_neighbour_scores_one() -> None:
    strategy = made(2, probability=0.0)
    parent = max(asked(strategy, 20), key=score)
    for _ in range(10):
        (child,) = asked(strategy, 1)
        assert child in SPACE.neighbors(parent)
        parent = child


def test_all_neighbours_where_no_number_is_set() -> None:
    strategy = made(2, neighbours=None)
    warm = asked(strategy, 20)
    parent = max(warm, key=score)
    new = {key(arch) for arch in SPACE.neighbors(parent)} - set(map(key, warm))
    assert {key(asked(strategy, 1)[0]) for _ in range(len(new))} == new
    assert strategy.population[0][0] != parent


def test_it_climbs_on_the_large_space() -> None:
    space = SPACES.get("darts")()

    def separable(arch: Any) -> float:
        return str(arch).count("sep_conv_5x5")

    strategy, best = made(0, space=space), []
    for _ in range(40):
        archs = strategy.ask(5)
        best.append(max(map(separable, archs)))
        for arch in archs:
            strategy.tell(arch, {"score": separable(arch)})
    assert max(best) >= 12 > max(best[:4])


def test_it_says_where_the_budget_ends_in_the_warm_up() -> None:
    assert made(warmup=20).remark(21) is None
    assert "makes no move" in (made(warmup=20).remark(20) or "")
    by_cheap = WarmupMove(
        SPACE, (Goal("score"),), 0, WarmupMoveOptions(), Hints(cheap=lambda archs: [1.0] * len(archs))
    )
    assert by_cheap.remark(5) is None, "its warm-up costs no evaluation"


def test_impossible_options_are_told() -> None:
    with pytest.raises(InputError, match=r"ranked_by to be cheap or objective but got 'nwot'"):
        WarmupMoveOptions(ranked_by="nwot").check()
    with pytest.raises(InputError, match=r"neighbours >= 1 or null but got 0"):
        WarmupMoveOptions(neighbours=0).check()


def test_a_cheap_objective_ranks_as_many_neighbours_as_are_set() -> None:
    looked: list[list[str]] = []

    def cheap(archs: Any) -> list[float | None]:
        looked.append(list(map(key, archs)))
        return [score(arch) for arch in archs]

    options = WarmupMoveOptions(warmup=30, pool=1, tournament=1, probability=1.0, neighbours=3)
    strategy = WarmupMove(SPACE, (Goal("score"),), 0, options, Hints(cheap=cheap))
    asked(strategy, 1)
    assert len(looked.pop()) > 3
    places: set[int] = set()
    for _ in range(8):
        ((parent, _),) = strategy.population
        around = [one for one in map(key, SPACE.neighbors(parent)) if one not in strategy.asked]
        asked(strategy, 1)
        for found in looked:
            assert len(found) <= 3
            places |= {around.index(one) for one in found}
        looked.clear()
    assert max(places) > 15, "drawn from all of them"
