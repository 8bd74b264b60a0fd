"""NSGA-II: evolution for several goals at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nas.core.io.checkpoint import State
from nas.search_spaces.base import SearchSpace
from nas.strategies.base import Strategy, all_random
from nas.strategies.option_error import OptionError
from nas.strategies.pareto import crowding, fronts

Member = tuple[Any, tuple[float, ...]]  # an architecture and its fitness in each goal


@dataclass
class NSGA2Options:
    population: int = 100  # N

    def check(self) -> None:
        if self.population < 2:
            raise OptionError(f"Expected population >= 2 but got {self.population}", "population")


class NSGA2(Strategy[Any]):
    """Of N parents and N children, N survive: whole fronts, the best first, then the least crowded of the next front.

    Source: Deb et al., IEEE TEVC 2002, section III.C. Parents win a binary tournament by front, then by crowding
    distance. There is no crossover, because search spaces do not define one. A generation is N children with metrics,
    whatever the size of `ask`; infeasible and failed children do not count. Where the paper is silent: of members of
    one class the first survives, and the distances of the tournament are those among the survivors.
    """

    name: ClassVar[str] = "nsga2"
    references: ClassVar[tuple[str, ...]] = ("deb2002nsga2",)
    Options: ClassVar[type] = NSGA2Options
    several: ClassVar[bool] = True
    space: SearchSpace[Any]

    def begin(self) -> None:
        self.parents: list[Member] = []
        self.children: list[Member] = []
        self.order: list[tuple[int, float]] = []  # of each parent: front and negative crowding distance; less is better

    def remark(self, budget: int) -> str | None:
        return all_random(self.name, self.options.population, budget, "population")

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        if not self.parents:  # the first generation is random
            return self.space.sample(self.rng)
        rivals = self.rng.sample(range(len(self.parents)), min(2, len(self.parents)))
        parent, _ = self.parents[min(rivals, key=self.order.__getitem__)]
        return self.space.mutate(parent, self.rng)

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        if metrics is None:
            return
        self.children.append((arch, tuple(goal.fitness(metrics) for goal in self.goals)))
        if len(self.children) == self.options.population:
            self._survive(self._one_per_class(self.parents + self.children))
            self.children = []

    def _survive(self, members: list[Member]) -> None:
        """Fill the N places with whole fronts, then with the members of the next front with the largest distance."""
        fitness = np.array([fit for _, fit in members])
        survivors: list[int] = []
        for front in fronts(fitness):
            left = self.options.population - len(survivors)
            least_crowded = np.argsort(-crowding(fitness[front]), kind="stable")
            survivors += front if len(front) <= left else [front[at] for at in least_crowded[:left]]
        self._set_parents([members[row] for row in survivors])

    def _set_parents(self, parents: list[Member]) -> None:
        self.parents = parents
        fitness = np.array([fit for _, fit in parents])
        self.order = [(0, 0.0)] * len(parents)
        for rank, front in enumerate(fronts(fitness) if parents else []):
            for row, distance in zip(front, crowding(fitness[front])):
                self.order[row] = (rank, -float(distance))

    def _one_per_class(self, members: list[Member]) -> list[Member]:
        """The first member of each class."""
        first: dict[str, Member] = {}
        for member in members:
            first.setdefault(str(self.space.canonical(member[0])), member)
        return list(first.values())

    def state_dict(self) -> State:
        def plain(members: list[Member]) -> list[Any]:
            return [[str(arch), list(fit)] for arch, fit in members]

        return {**super().state_dict(), "parents": plain(self.parents), "children": plain(self.children)}

    def load_state_dict(self, state: State) -> None:
        def read(members: list[Any]) -> list[Member]:
            return [(self.space.parse(text), tuple(fit)) for text, fit in members]

        super().load_state_dict(state)
        self._set_parents(read(state["parents"]))
        self.children = read(state["children"])
