"""Warm-up and moves by a cheap objective."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, ClassVar

from nas.core.errors import InputError
from nas.search_spaces.base import SearchSpace
from nas.strategies.base import Goal, Hints, Strategy


@dataclass
class WarmupMoveOptions:
    warmup: int = 3000  # random architectures ranked by the cheap objective
    pool: int = 64  # the best of them, which are evaluated; also the size of the population
    tournament: int = 10
    probability: float = 0.75  # of a move to the neighbour that the cheap objective likes best

    def check(self) -> None:
        if not 1 <= self.tournament <= self.pool <= self.warmup:
            raise InputError(
                f"Expected 1 <= tournament <= pool <= warmup but got tournament={self.tournament} pool={self.pool} "
                f"warmup={self.warmup}; set strategy.tournament, strategy.pool and strategy.warmup."
            )
        if not 0 <= self.probability <= 1:
            raise InputError(
                f"Expected a probability between 0 and 1 but got {self.probability}; set strategy.probability."
            )


class WarmupMove(Strategy[Any]):
    """Evaluates the best of a random pool by the cheap objective, then evolves them with moves that it proposes.

    Source: Abdelfattah et al., ICLR 2021 (arXiv:2101.08134), section 5: zero-cost warm-up and zero-cost move with
    ageing evolution. A move goes to the best neighbour by the cheap objective of a tournament's winner, or with
    probability 1 - p to a random one. Where the paper is silent: the cheap objective sees the representative of a
    class, as the evaluation does; a class that was asked is not proposed again while the parent has another neighbour;
    of a pool's members that are infeasible or failed the next of the ranking take the place.
    """

    name: ClassVar[str] = "warmup-move"
    Options: ClassVar[type] = WarmupMoveOptions
    uses: ClassVar[frozenset[str]] = frozenset({"cheap"})
    space: SearchSpace[Any]

    def __init__(
        self,
        space: SearchSpace[Any],
        goals: tuple[Goal, ...],
        seed: int,
        options: Any = None,
        hints: Hints | None = None,
    ) -> None:
        super().__init__(space, goals, seed, options, hints)
        self.ranking: deque[Any] | None = None  # of the warm-up, the best first, without those asked
        self.left = self.options.pool  # of the warm-up, still to ask
        self.population: deque[tuple[Any, float]] = deque()
        self.asked: dict[str, None] = {}  # classes
        self._worth: dict[Any, float | None] = {}  # by class; a memory of pure values, no part of the state

    def ask(self, n: int) -> list[Any]:
        if self.ranking is None:
            self.ranking = deque(self._warm_up())
        proposed = []
        for _ in range(n):
            arch = self._propose(self.ranking)
            self.asked[str(self.space.canonical(arch))] = None
            proposed.append(arch)
        return proposed

    def _warm_up(self) -> list[Any]:
        """The classes of the random pool that have a cheap fitness, the best first."""
        drawn = [self.space.sample(self.rng) for _ in range(self.options.warmup)]
        first: dict[Any, Any] = {}  # representative of each class -> its first member
        for arch in drawn:
            first.setdefault(self.space.canonical(arch), arch)
        rated = [(worth, arch) for worth, arch in zip(self._cheap(list(first)), first.values()) if worth is not None]
        return [arch for _, arch in sorted(rated, key=itemgetter(0), reverse=True)]

    def _propose(self, ranking: deque[Any]) -> Any:
        if ranking and (self.left > 0 or not self.population):
            self.left -= 1
            return ranking.popleft()
        if not self.population:
            return self.space.sample(self.rng)
        sample = self.rng.sample(self.population, min(self.options.tournament, len(self.population)))
        parent, _ = max(sample, key=itemgetter(1))
        return self._move(parent)

    def _move(self, parent: Any) -> Any:
        around = [(self.space.canonical(arch), arch) for arch in self.space.neighbors(parent)]
        new = [pair for pair in around if str(pair[0]) not in self.asked] or around
        if self.rng.random() < self.options.probability:
            worths = self._cheap([representative for representative, _ in new])
            rated = [(worth, arch) for worth, (_, arch) in zip(worths, new) if worth is not None]
            if rated:
                return max(rated, key=itemgetter(0))[1]
        return self.rng.choice(new)[1]

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        size = self.options.pool
        if metrics is None:
            if len(self.population) < size:
                self.left += 1
            return
        self.population.append((arch, self.goals[0].fitness(metrics)))
        while len(self.population) > size:
            self.population.popleft()  # the oldest dies, not the worst
        if len(self.population) == size and self.left <= 0:
            self.ranking = deque()  # the rest of it will not be asked

    def _cheap(self, representatives: Sequence[Any]) -> list[float | None]:
        """The cheap fitness of each class, asked for once and in one call."""
        assert self.hints.cheap is not None
        missing = list(dict.fromkeys(arch for arch in representatives if arch not in self._worth))
        if missing:
            self._worth.update(zip(missing, self.hints.cheap(missing)))
        return [self._worth[arch] for arch in representatives]

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "ranking": None if self.ranking is None else [str(arch) for arch in self.ranking],
            "left": self.left,
            "population": [[str(arch), fit] for arch, fit in self.population],
            "asked": list(self.asked),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        ranking = state["ranking"]
        self.ranking = None if ranking is None else deque(map(self.space.parse, ranking))
        self.left = state["left"]
        self.population = deque((self.space.parse(text), fit) for text, fit in state["population"])
        self.asked = dict.fromkeys(state["asked"])
