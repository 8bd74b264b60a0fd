"""What strategies share that ask what a model, fitted to everything told, thinks best."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from nas.core.io.checkpoint import State
from nas.search_spaces.base import Points
from nas.strategies.base import A, Goal, Hints, Strategy
from nas.strategies.predictors.base import Predictor

DRAWS = 100  # random architectures drawn to find one of a class not asked yet


class Modelled(Strategy[A]):
    """Random classes until `init` have a fitness; from then on, the `batch` best candidates by a model of all told.

    The model is fitted anew when the batch before is asked, whatever the sizes of `ask`; an `ask` for more than are
    left of a batch takes as many as it needs from one fit. No class is asked twice before all others, as far as they
    can be found. What is infeasible or failed, or has a feature without a value, is not learnt from.
    """

    def __init__(
        self, space: Points[Any], goals: tuple[Goal, ...], seed: int, options: Any = None, hints: Hints | None = None
    ) -> None:
        super().__init__(space, goals, seed, options, hints)
        self.told: dict[str, tuple[A, float]] = {}  # class -> the architecture and its fitness
        self.asked: dict[str, None] = {}  # classes
        self.queue: list[A] = []  # chosen, not asked yet; the best first
        self._class: Callable[[A], A] = getattr(space, "canonical", lambda arch: arch)
        self._within: dict[str, bool] = {}  # by class, what the hint said; a memory of pure values

    def ask(self, n: int) -> list[A]:
        proposed: list[A] = []
        while len(proposed) < n:
            if len(self.told) < self.options.init:
                arch = self._random(self.asked)
            else:
                if not self.queue:
                    self.queue = self._choose(max(self.options.batch, n - len(proposed)))
                arch = self.queue.pop(0)
            self.asked[self._key(arch)] = None
            proposed.append(arch)
        return proposed

    def tell(self, arch: A, metrics: dict[str, float] | None) -> None:
        if metrics is not None:
            self.told[self._key(arch)] = (arch, self.goals[0].fitness(metrics))

    def _choose(self, count: int) -> list[A]:
        """The best candidates by the model, filled up with random ones where there are fewer."""
        candidates, features = self._candidates()
        fine = np.array(self._allowed(candidates), dtype=bool) & _known(features)
        candidates, features = [arch for arch, good in zip(candidates, fine) if good], features[fine]
        fitness = np.array([fit for _, fit in self.told.values()])
        seen = self._describe([arch for arch, _ in self.told.values()])
        learnt = _known(seen)
        best: list[A] = []
        if candidates and learnt.any():
            model = self._model(self.rng.getrandbits(32))
            mean, sd = model.fit(seen[learnt], fitness[learnt]).predict(features)
            noise = np.random.default_rng(self.rng.getrandbits(64))
            worth = self._acquisition(mean, sd, float(fitness.max()), noise)
            best = [candidates[row] for row in np.argsort(-worth, kind="stable")[:count]]
        taken = {**self.asked, **dict.fromkeys(map(self._key, best))}
        while len(best) < count:
            best.append(self._random(taken))
            taken[self._key(best[-1])] = None
        return best

    @abstractmethod
    def _candidates(self) -> tuple[list[A], np.ndarray]:
        """Architectures of different classes not asked yet, and their features (m, d)."""

    @abstractmethod
    def _describe(self, archs: list[A]) -> np.ndarray:
        """Features (n, d) of architectures, through the representatives of their classes."""

    @abstractmethod
    def _model(self, seed: int) -> Predictor:
        """A predictor to fit."""

    @abstractmethod
    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        """The acquisition function (m,), more is better, from the prediction and the best fitness told."""

    def _key(self, arch: A) -> str:
        return str(self._class(arch))

    def _allowed(self, archs: list[A]) -> list[bool]:
        """Which architectures are within the limits that cost nothing to check."""
        if self.hints.allowed is None:
            return [True] * len(archs)
        keys = [self._key(arch) for arch in archs]
        new = {key: self._class(arch) for key, arch in zip(keys, archs) if key not in self._within}
        if new:
            self._within.update(zip(new, self.hints.allowed(list(new.values()))))
        return [self._within[key] for key in keys]

    def _random(self, taken: dict[str, None]) -> A:
        """A random architecture of a class not taken, if one is found."""
        for _ in range(DRAWS):
            arch = self.space.sample(self.rng)
            if self._key(arch) not in taken:
                break
        return arch

    def _mutations(self, parents: list[A], tries: int, count: int) -> dict[str, A]:
        """Classes not asked yet: `tries` mutations of each parent, until a parent leaves at least `count`."""
        found: dict[str, A] = {}
        for parent in parents:
            if len(found) >= count:
                break
            for _ in range(tries):
                arch = self.space.mutate(parent, self.rng)
                key = self._key(arch)
                if key not in self.asked:
                    found.setdefault(key, arch)
        return found

    def _ranking(self) -> list[A]:
        """The architectures told, the best first; ties in the order told."""
        return [arch for arch, _ in sorted(self.told.values(), key=lambda pair: -pair[1])]

    def state_dict(self) -> State:
        return {
            **super().state_dict(),
            "told": [[str(arch), fit] for arch, fit in self.told.values()],
            "asked": list(self.asked),
            "queue": [str(arch) for arch in self.queue],
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        told = [(self.space.parse(text), fit) for text, fit in state["told"]]
        self.told = {self._key(arch): (arch, fit) for arch, fit in told}
        self.asked = dict.fromkeys(state["asked"])
        self.queue = [self.space.parse(text) for text in state["queue"]]


def _known(features: np.ndarray) -> np.ndarray:
    """(m,): whether all features of a row (m, d) have a value."""
    return np.isfinite(features).all(axis=1)
