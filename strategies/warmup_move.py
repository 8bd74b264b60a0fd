"""Warm-up and moves, ranked by a cheap objective or by the objective itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any, ClassVar

from nas.core.io.checkpoint import State
from nas.search_spaces.base import SearchSpace
from nas.strategies.base import Strategy
from nas.strategies.option_error import OptionError

RANKINGS = ("cheap", "objective")
MAX_DRAWS = 100  # attempts to find a random architecture of a new class that is allowed


@dataclass
class WarmupMoveOptions:
    ranked_by: str = "cheap"  # cheap: ranked by search.cheap; objective: each network that is ranked is evaluated
    warmup: int = 3000  # random architectures that are ranked
    pool: int = 64  # size of the population, which begins with the best of the warm-up
    tournament: int = 10  # members of the population from which the parent is chosen
    probability: float = 0.75  # of a move to the neighbour that is ranked best, else to a random one
    neighbours: int | None = None  # how many random neighbours of the winner a move ranks; null: all of them

    def check(self) -> None:
        if self.ranked_by not in RANKINGS:
            raise OptionError(
                f"Expected ranked_by to be {' or '.join(RANKINGS)} but got {self.ranked_by!r}", "ranked_by"
            )
        if not 1 <= self.tournament <= self.pool <= self.warmup:
            raise OptionError(
                f"Expected 1 <= tournament <= pool <= warmup but got tournament={self.tournament} pool={self.pool} "
                f"warmup={self.warmup}",
                "tournament",
                "pool",
                "warmup",
            )
        if not 0 <= self.probability <= 1:
            raise OptionError(f"Expected a probability between 0 and 1 but got {self.probability}", "probability")
        if self.neighbours is not None and self.neighbours < 1:
            raise OptionError(f"Expected neighbours >= 1 or null but got {self.neighbours}", "neighbours")


@dataclass
class ScoredGroup:
    """Networks of which the best enter the population once all are scored; held as strings, which can be saved."""

    to_ask: list[str]
    asked: list[str] = field(default_factory=list)  # classes without a result yet
    best: list[tuple[str, float]] = field(default_factory=list)  # the best first

    @property
    def done(self) -> bool:
        return not self.to_ask and not self.asked

    def add(self, arch: str, fitness: float, count: int) -> None:
        """Add a network and keep the best `count`; of equal ones, the first."""
        self.best = sorted([*self.best, (arch, fitness)], key=itemgetter(1), reverse=True)[:count]


class WarmupMove(Strategy[Any]):
    """Ranks a random pool by a cheap objective, evaluates the best, and evolves them with moves that it ranks too.

    Source: Abdelfattah et al., ICLR 2021 (arXiv:2101.08134), section 5: zero-cost warm-up and zero-cost move with
    ageing evolution. A move goes from the winner of a tournament to its best neighbour by the cheap objective, or with
    probability 1 - p to a random one. Where the paper is silent: the cheap objective sees the representative of a
    class, as the evaluation does; a class is not proposed again while the parent has another neighbour; members of the
    pool that are infeasible or failed are replaced by the next in the ranking.

    With `ranked_by=objective` the objective itself ranks, for example where it is a proxy: the networks of the warm-up
    and the neighbours of a move are evaluated, each counts in the budget, and the best of them enter the population.
    The warm-up ends when `warmup` networks are scored; if the same `ask` proposed more, these belong to it too.
    """

    name: ClassVar[str] = "warmup-move"
    references: ClassVar[tuple[str, ...]] = ("abdelfattah2021zerocost",)
    Options: ClassVar[type] = WarmupMoveOptions
    uses: ClassVar[frozenset[str]] = frozenset({"cheap"})
    space: SearchSpace[Any]

    def begin(self) -> None:
        self.ranking: deque[Any] | None = None  # of the warm-up, not proposed yet, the best first
        self.left = self.options.warmup if self._by_objective else self.options.pool  # networks not proposed yet
        self.population: deque[tuple[Any, float]] = deque()
        self.asked: dict[str, None] = {}  # classes that were proposed
        self.groups = [ScoredGroup([])]  # with ranked_by=objective: the warm-up or, after it, the moves under way
        self._worth: dict[Any, float | None] = {}  # by class; a cache, not part of the state

    @classmethod
    def needs(cls, options: Any) -> frozenset[str]:
        return cls.uses if options.ranked_by == "cheap" else frozenset()

    def remark(self, budget: int) -> str | None:
        if self._by_objective and self.options.warmup >= budget:
            return (
                f"A search of {budget} evaluations ends within the warm-up of {self.options.warmup} random networks "
                "(strategy.warmup), so it makes no move."
            )
        return None

    @property
    def _by_objective(self) -> bool:
        return self.options.ranked_by == "objective"

    def ask(self, n: int) -> list[Any]:
        if self.ranking is None and not self._by_objective:
            self.ranking = deque(self._warm_up())
        proposed = []
        for _ in range(n):
            arch = self._propose_scored() if self.ranking is None else self._propose(self.ranking)
            self.asked[str(self.space.canonical(arch))] = None
            proposed.append(arch)
        return proposed

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        fitness = None if metrics is None else self.goals[0].fitness(metrics)
        if self._by_objective:
            self._rank(arch, fitness)
            return
        size = self.options.pool
        if fitness is None:
            if len(self.population) < size:
                self.left += 1
            return
        self._enter(arch, fitness)
        if len(self.population) == size and self.left <= 0:
            self.ranking = deque()  # the rest of the ranking will not be proposed

    def _enter(self, arch: Any, fitness: float) -> None:
        self.population.append((arch, fitness))
        while len(self.population) > self.options.pool:
            self.population.popleft()  # the oldest dies, not the worst

    def _winner(self) -> Any:
        """The best of a random part of the population."""
        sample = self.rng.sample(self.population, min(self.options.tournament, len(self.population)))
        return max(sample, key=itemgetter(1))[0]

    # ranked by a cheap objective

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
        return self._move(self._winner())

    def _move(self, parent: Any) -> Any:
        around = [(self.space.canonical(arch), arch) for arch in self.space.neighbors(parent)]
        new = [pair for pair in around if str(pair[0]) not in self.asked] or around
        if self.rng.random() < self.options.probability:
            if self.options.neighbours is not None:
                new = self.rng.sample(new, min(self.options.neighbours, len(new)))
            worths = self._cheap([representative for representative, _ in new])
            rated = [(worth, arch) for worth, (_, arch) in zip(worths, new) if worth is not None]
            if rated:
                return max(rated, key=itemgetter(0))[1]
        return self.rng.choice(new)[1]

    def _cheap(self, representatives: Sequence[Any]) -> list[float | None]:
        """The cheap fitness of each class; the missing ones are computed in one call."""
        assert self.hints.cheap is not None
        missing = list(dict.fromkeys(arch for arch in representatives if arch not in self._worth))
        if missing:
            self._worth.update(zip(missing, self.hints.cheap(missing)))
        return [self._worth[arch] for arch in representatives]

    # ranked by the objective

    def _propose_scored(self) -> Any:
        """The next architecture to evaluate, from the warm-up or from a move."""
        if not self.population:
            self.left -= 1
            arch = self._draw()
            group = self.groups[0]
        else:
            group = next((one for one in self.groups if one.to_ask), None) or self._new_move()
            arch = self.space.parse(group.to_ask.pop(0))
        group.asked.append(str(self.space.canonical(arch)))
        return arch

    def _draw(self) -> Any:
        """A random network of a new class that is allowed; any network if `MAX_DRAWS` draws find none."""
        for _ in range(MAX_DRAWS):
            arch = self.space.sample(self.rng)
            if self._is_new(arch):
                break
        return arch

    def _is_new(self, arch: Any) -> bool:
        return str(self.space.canonical(arch)) not in self.asked and self._is_allowed(arch)

    def _is_allowed(self, arch: Any) -> bool:
        return self.hints.allowed is None or self.hints.allowed([arch])[0]

    def _new_move(self) -> ScoredGroup:
        """A move: new neighbours of a tournament's winner or, if none is new, neighbours that are allowed."""
        around = list(self.space.neighbors(self._winner()))
        count = self.options.neighbours if self.rng.random() < self.options.probability else 1
        if count is not None:
            self.rng.shuffle(around)
        count = len(around) if count is None else count
        chosen = self._first(around, count, self._is_new) or self._first(around, count, self._is_allowed)
        self.groups.append(ScoredGroup(list(map(str, chosen or around[:count]))))
        return self.groups[-1]

    def _first(self, archs: list[Any], count: int, good: Callable[[Any], bool]) -> list[Any]:
        """The first `count` architectures of different classes that are `good`."""
        first: dict[Any, Any] = {}
        for arch in archs:
            if len(first) == count:
                break
            if good(arch):
                first.setdefault(self.space.canonical(arch), arch)
        return list(first.values())

    def _rank(self, arch: Any, fitness: float | None) -> None:
        """Record a fitness; if the group is then complete, its best networks enter the population."""
        key = str(self.space.canonical(arch))
        group = next((one for one in self.groups if key in one.asked), None)
        if group is None:  # its fitness is known
            return
        group.asked.remove(key)
        warming = not self.population
        if fitness is not None:
            group.add(str(arch), fitness, self.options.pool if warming else 1)
        elif warming:
            self.left += 1
        if group.done and (not warming or (self.left <= 0 and group.best)):
            self.groups.remove(group)
            for text, value in group.best:
                self._enter(self.space.parse(text), value)

    def state_dict(self) -> State:
        state = {
            **super().state_dict(),
            "ranking": None if self.ranking is None else [str(arch) for arch in self.ranking],
            "left": self.left,
            "population": [[str(arch), fit] for arch, fit in self.population],
            "asked": list(self.asked),
        }
        return {**state, "scored": [asdict(one) for one in self.groups]} if self._by_objective else state

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        ranking = state["ranking"]
        self.ranking = None if ranking is None else deque(map(self.space.parse, ranking))
        self.left = state["left"]
        self.population = deque((self.space.parse(text), fit) for text, fit in state["population"])
        self.asked = dict.fromkeys(state["asked"])
        if self._by_objective:
            self.groups = [
                ScoredGroup(list(one["to_ask"]), list(one["asked"]), [(text, fit) for text, fit in one["best"]])
                for one in state["scored"]
            ]
