"""Ageing evolution for several goals that are put together by their ranks."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import numpy as np

from nas.core.io.checkpoint import State
from nas.strategies.base import Strategy, all_random
from nas.strategies.evolution import EvolutionOptions
from nas.strategies.pareto import rank_sums


class EvolutionRanks(Strategy[Any]):
    """The strategy `evolution`, whose fitness is the sum of the ranks of the goals within the population.

    A rank of a goal is the number of members that are better. So the goals count alike, whatever their scales are. The
    best architecture has the least sum of ranks among all evaluated; it is on the Pareto front. Children that are
    infeasible or failed do not enter the population.
    Source: the sum of ranks: Chen, Gong and Wang, ICLR 2021 (arXiv:2102.11535, TE-NAS), who prune a supernet by it; the
    evolution: Real et al., AAAI 2019 (arXiv:1802.01548), algorithm 1.
    """

    name: ClassVar[str] = "evolution-ranks"
    references: ClassVar[tuple[str, ...]] = ("chen2021tenas", "real2019regularized")
    Options: ClassVar[type] = EvolutionOptions
    several: ClassVar[bool] = True
    sums_ranks: ClassVar[bool] = True

    def begin(self) -> None:
        self.population: deque[tuple[Any, tuple[float, ...]]] = deque()
        self._sums: np.ndarray | None = None  # of the population, until it changes

    def remark(self, budget: int) -> str | None:
        return all_random(self.name, self.options.random_draws, budget, self.options.decided_by)

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        if len(self.population) < self.options.random_draws:
            return self.space.sample(self.rng)
        if self._sums is None:
            self._sums = rank_sums(np.array([fitness for _, fitness in self.population]))
        rivals = self.rng.choices(range(len(self.population)), k=self.options.tournament)
        parent, _ = self.population[min(rivals, key=self._sums.__getitem__)]
        return self.space.mutate(parent, self.rng)

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        if metrics is None:
            return
        self.population.append((arch, tuple(goal.fitness(metrics) for goal in self.goals)))
        while len(self.population) > self.options.population:
            self.population.popleft()  # the oldest dies, not the worst
        self._sums = None

    def state_dict(self) -> State:
        return {**super().state_dict(), "population": [[str(arch), list(fit)] for arch, fit in self.population]}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.population = deque((self.space.parse(text), tuple(fit)) for text, fit in state["population"])
        self._sums = None
