"""Local search: hill climbing over all neighbours."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, ClassVar

from nas.core.io.checkpoint import State
from nas.core.seeds import derive
from nas.search_spaces.base import SearchSpace
from nas.strategies.base import Strategy
from nas.strategies.option_error import OptionError

MAX_DRAWS = 20  # attempts to find a random architecture of a class not proposed yet


IMPROVEMENTS = ("best", "first")


@dataclass
class LocalSearchOptions:
    improvement: str = "best"  # move to the best of all neighbours, or to the first that is better
    init: int = 1  # random architectures before each climb, which begins at the best of them

    def check(self) -> None:
        """Raises InputError for an unknown improvement or no start."""
        if self.improvement not in IMPROVEMENTS:
            raise OptionError(
                f"Expected improvement to be {' or '.join(IMPROVEMENTS)} but got {self.improvement!r}", "improvement"
            )
        if self.init < 1:
            raise OptionError(f"Expected init >= 1 but got {self.init}", "init")


class LocalSearch(Strategy[Any]):
    """Moves from a random start to the best neighbour while that is better; at a local optimum it starts again.

    Source: White, Nolen and Savani, UAI 2021 (arXiv:2005.02960), algorithm 1: every neighbour is evaluated before the
    move. The paper stops at the optimum; here a new climb begins, as in its authors' experiments with a fixed budget.
    No class is proposed twice, and an architecture that is infeasible or failed is worse than all others. If all
    neighbours are proposed but not all evaluated (in one large `ask`), random starts of later climbs are proposed too.

    With `improvement=first` the search moves to the first neighbour that is better and does not evaluate the others;
    their order is a permutation that depends on the seed and on the current architecture.
    """

    name: ClassVar[str] = "local"
    references: ClassVar[tuple[str, ...]] = ("white2021local",)
    Options: ClassVar[type] = LocalSearchOptions
    space: SearchSpace[Any]

    def begin(self) -> None:
        drawing = Random()
        drawing.setstate(self.rng.getstate())  # a copy, so that the first draws are those of every other strategy
        self.order = drawing.getrandbits(63)  # the seed of the orders of neighbours
        self.current: Any | None = None
        self.starts: deque[Any] = deque()  # where the next climbs begin, in the order proposed
        self.known: dict[str, float | None] = {}  # fitness of each evaluated class
        self.asked: dict[str, None] = {}  # classes that are proposed but not evaluated yet

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        while self._advance():
            continue
        arch = next((other for key, other in self._neighbours if self._new(key)), None)
        if arch is None:
            arch = self._start()
        self.asked[self._class(arch)] = None
        return arch

    def _advance(self) -> bool:
        """Move to the best neighbour or to a new start; False if an architecture that decides is not evaluated yet."""
        if self.current is None:
            count = self.options.init
            if len(self.starts) < count or any(self._class(self.starts[one]) not in self.known for one in range(count)):
                return False
            starts = [self.starts.popleft() for _ in range(count)]
            valid = [arch for arch in starts if self._fitness(arch) is not None]
            self._move(max(valid, key=self._fitness, default=None))
            return True
        if self.options.improvement == "first":
            return self._advance_to_the_first()
        if not all(key in self.known for key, _ in self._neighbours):
            return False
        around = [(fitness, arch) for key, arch in self._neighbours if (fitness := self.known[key]) is not None]
        best, arch = max(around, key=lambda pair: pair[0], default=(None, None))
        self._move(arch if best is not None and best > self._fitness(self.current) else None)
        return True

    def _advance_to_the_first(self) -> bool:
        """Move to the first better neighbour, or to a new start if none is; False if the next is not evaluated yet."""
        for key, arch in self._neighbours:
            if key not in self.known:
                return False
            fitness = self.known[key]
            if fitness is not None and fitness > self._fitness(self.current):
                self._move(arch)
                return True
        self._move(None)
        return True

    def _start(self) -> Any:
        """A random architecture, of a new class if `MAX_DRAWS` draws find one."""
        for _ in range(MAX_DRAWS):
            arch = self.space.sample(self.rng)
            if self._new(self._class(arch)):
                break
        self.starts.append(arch)
        return arch

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        key = self._class(arch)
        self.asked.pop(key, None)
        self.known[key] = None if metrics is None else self.goals[0].fitness(metrics)

    def _move(self, arch: Any | None) -> None:
        self.current = arch
        self.__dict__.pop("_neighbours", None)

    @cached_property
    def _neighbours(self) -> list[tuple[str, Any]]:
        """The current architecture's neighbours and their classes."""
        if self.current is None:
            return []
        neighbours = list(self.space.neighbors(self.current))
        if self.options.improvement == "first":
            Random(derive(self.order, "neighbours", str(self.current))).shuffle(neighbours)
        return [(self._class(arch), arch) for arch in neighbours]

    def _class(self, arch: Any) -> str:
        return str(self.space.canonical(arch))

    def _fitness(self, arch: Any) -> Any:
        return self.known[self._class(arch)]

    def _new(self, key: str) -> bool:
        return key not in self.known and key not in self.asked

    def state_dict(self) -> State:
        return {
            **super().state_dict(),
            "order": self.order,
            "current": None if self.current is None else str(self.current),
            "starts": [str(arch) for arch in self.starts],
            "known": dict(self.known),
            "asked": list(self.asked),
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.order = state.get("order", 0)  # not saved by earlier versions, whose order did not depend on the seed
        self._move(None if state["current"] is None else self.space.parse(state["current"]))
        self.starts = deque(map(self.space.parse, state["starts"]))
        self.known = dict(state["known"])
        self.asked = dict.fromkeys(state["asked"])


@dataclass
class NaszillaLocalSearchOptions(LocalSearchOptions):
    improvement: str = "first"  # move to the best of all neighbours, or to the first that is better
    init: int = 10  # random architectures before each climb, which begins at the best of them


class NaszillaLocalSearch(LocalSearch):
    """The strategy `local` as the release of White et al. (naszilla) sets it, for comparisons with its results.

    Each climb begins at the best of 10 random architectures and moves to the first better neighbour.
    Source: White, Nolen and Savani, UAI 2021 (arXiv:2005.02960), and its release.
    """

    name: ClassVar[str] = "local-naszilla"
    Options: ClassVar[type] = NaszillaLocalSearchOptions
