"""Regularised (ageing) evolution."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from nas.core.io.checkpoint import State
from nas.strategies.base import Strategy, all_random
from nas.strategies.option_error import OptionError


@dataclass
class EvolutionOptions:
    population: int = 100  # P
    tournament: int = 25  # S
    init: int | None = None  # random architectures at the start; by default as many as the population

    @property
    def random_draws(self) -> int:
        """How many architectures are drawn before the first mutation."""
        return self.population if self.init is None else self.init

    @property
    def decided_by(self) -> str:
        """The option that says how many these are."""
        return "population" if self.init is None else "init"

    def check(self) -> None:
        if self.init is not None and not 1 <= self.init <= self.population:
            raise OptionError(
                f"Expected 1 <= init <= population but got init={self.init} population={self.population}",
                "init",
                "population",
            )
        if not 1 <= self.tournament <= self.population:
            raise OptionError(
                f"Expected 1 <= tournament <= population but got tournament={self.tournament} "
                f"population={self.population}",
                "tournament",
                "population",
            )


class Evolution(Strategy[Any]):
    """A queue of P members; each child is the mutation of the best of S random members; the oldest dies.

    Source: Real et al., AAAI 2019 (arXiv:1802.01548), algorithm 1, aging evolution without crossover. The S members of
    a tournament are drawn with replacement, as in the paper, so one can be drawn twice. With `init` below P, children
    are made as soon as the population has that many members, and it grows to P. Children that are infeasible or failed
    do not enter the population, so that many of them in a row cannot empty it.

    Versions before 0.2.0 drew without replacement; a search that such a version saved continues to do so.
    """

    name: ClassVar[str] = "evolution"
    references: ClassVar[tuple[str, ...]] = ("real2019regularized",)
    Options: ClassVar[type] = EvolutionOptions
    draws_with_replacement: ClassVar[bool] = True  # the rule of a new search

    def begin(self) -> None:
        self.population: deque[tuple[Any, float]] = deque()
        self.with_replacement = self.draws_with_replacement

    def remark(self, budget: int) -> str | None:
        return all_random(self.name, self.options.random_draws, budget, self.options.decided_by)

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        if len(self.population) < self.options.random_draws:
            return self.space.sample(self.rng)
        draw = self.rng.choices if self.with_replacement else self.rng.sample
        sample = draw(self.population, k=self.options.tournament)
        parent, _ = max(sample, key=itemgetter(1))
        return self.space.mutate(parent, self.rng)

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        if metrics is None:
            return
        self.population.append((arch, self.goals[0].fitness(metrics)))
        while len(self.population) > self.options.population:
            self.population.popleft()  # the oldest dies, not the worst

    def state_dict(self) -> State:
        return {
            **super().state_dict(),
            "population": [[str(arch), fit] for arch, fit in self.population],
            "with_replacement": self.with_replacement,
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.population = deque((self.space.parse(text), fit) for text, fit in state["population"])
        self.with_replacement = state.get("with_replacement", False)  # not saved by versions before 0.2.0


@dataclass
class NaszillaEvolutionOptions(EvolutionOptions):
    population: int = 30  # P
    tournament: int = 10  # S
    init: int | None = 10  # random architectures at the start


class NaszillaEvolution(Evolution):
    """The strategy `evolution` as the release of White et al. (naszilla) sets it, for comparisons with its results.

    10 random architectures, a population that grows to 30 and then loses its oldest, and tournaments of 10, which are
    drawn with replacement.
    Source: White, Neiswanger and Savani, AAAI 2021 (arXiv:1910.11858), and its release.
    """

    name: ClassVar[str] = "evolution-naszilla"
    references: ClassVar[tuple[str, ...]] = ("real2019regularized", "white2021bananas")
    Options: ClassVar[type] = NaszillaEvolutionOptions
