"""Evolution by sums of ranks: who wins a tournament, and which architecture of the Pareto front comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nas.core.storage.base import Metrics, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.search_spaces import NASBench201
from nas.searches.loop import Search, Unconstrained
from nas.strategies import Goal
from nas.strategies.evolution import EvolutionOptions
from nas.strategies.evolution_ranks import EvolutionRanks
from nas.strategies.nsga2 import NSGA2, NSGA2Options

GOALS = (Goal("convolutions"), Goal("cost", higher_is_better=False))
SPACE = NASBench201()


def metrics(text: str) -> dict[str, float]:
    cells = {"convolutions": float(text.count("conv")), "cost": 9.0 * text.count("3x3~") + text.count("1x1")}
    return {**cells, "cost": cells["cost"] * 1e6}


def test_the_winner_of_a_tournament_has_the_least_sum_of_ranks() -> None:
    strategy = EvolutionRanks(SPACE, GOALS, 0, EvolutionOptions(population=3, tournament=40))
    for arch, fitness in zip(strategy.ask(3), [(9.0, 1e9), (8.0, 5.0), (7.0, 6.0)]):
        strategy.tell(arch, {"convolutions": fitness[0], "cost": fitness[1]})
    parents = [str(arch) for arch, _ in strategy.population]
    child = strategy.ask(1)[0]  # 40 draws of three leave out none: rank sums 2, 1 and 3
    changed = [sum(a != b for a, b in zip(child.operations, SPACE.parse(text).operations)) for text in parents]
    assert changed[1] == 1


def test_the_first_of_the_front_has_the_least_sum_of_ranks_of_all_evaluated() -> None:
    def look_up(keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        return (TaskResult(key, metrics(key), None, 0.0) for key in keys)

    firsts = []
    for kind, options in ((EvolutionRanks, EvolutionOptions(10, 3)), (NSGA2, NSGA2Options(10))):
        strategy: Any = kind(SPACE, GOALS, 1, options)
        store = InMemoryStore()
        search = Search(Unconstrained(SPACE, strategy, look_up), 60, 5, store)
        while not search.finished:
            search.step()
        result = search.result("convolutions+cost")
        rows = [metrics(one.key) for one in store.history()]
        fitness = np.array([[row["convolutions"], -row["cost"]] for row in rows])
        sums = [int((fitness > row).sum()) for row in fitness]
        keys = [one.key for one in store.history()]
        firsts.append(result.best.arch == keys[int(np.argmin(sums))])
        assert result.best.arch in {one.arch for one in result.top}
    assert firsts == [True, False]
