"""The bases of strategies that choose batches of candidates by what they have observed so far."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from nas.core.io.checkpoint import State
from nas.strategies.base import A, Strategy, all_random
from nas.strategies.limit_search import nothing_good, towards
from nas.strategies.predictors.base import Prediction, Predictor

MAX_DRAWS = 100  # attempts to find a random architecture of a class not proposed yet


class BatchedStrategy(Strategy[A]):
    """Proposes random classes until `init` have a fitness, and then batches of `batch` chosen candidates.

    A new batch is chosen when one is used up, whatever the sizes of `ask`. If an `ask` then still needs more than
    `batch` candidates, one choice provides all of them. No class is proposed twice as long as a new one is found.
    """

    moves = False

    def begin(self) -> None:
        self.limited: dict[str, list[float]] = {}  # class -> its quantities of the limits, if there are limits
        self.observed: dict[str, tuple[A, float]] = {}  # class -> an architecture and its fitness
        self.asked: dict[str, None] = {}  # classes that were proposed
        self.queue: list[A] = []  # chosen, not proposed yet; the best first
        self._class: Callable[[A], A] = getattr(self.space, "canonical", lambda arch: arch)
        self._within: dict[str, bool] = {}  # by class, whether the hint allows it; a cache, not part of the state

    def remark(self, budget: int) -> str | None:
        return all_random(self.name, max(0, self.options.init - len(self.observed)), budget, "init")

    def ask(self, n: int) -> list[A]:
        proposed: list[A] = []
        while len(proposed) < n:
            if self._starting():
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
            self.observed[self._key(arch)] = (arch, self.goals[0].fitness(metrics))
            if self.limits:
                self.limited[self._key(arch)] = self.limits.values(metrics)

    def tell_infeasible(self, arch: A, metrics: dict[str, float]) -> None:
        self.tell(arch, metrics)

    def know(self, arch: A, metrics: dict[str, float], within: bool) -> None:
        """Learn, before the first proposal, the metrics of an architecture that will then not be proposed.

        `within`: whether it is within the limits.
        """
        self.asked[self._key(arch)] = None
        if within:
            self.tell(arch, metrics)
        else:
            self.tell_infeasible(arch, metrics)

    def _starting(self) -> bool:
        """Whether the next proposal is random because too few architectures have a fitness."""
        return len(self.observed) < self.options.init

    @abstractmethod
    def _choose(self, count: int) -> list[A]:
        """At least `count` architectures to propose, the best first."""

    def _filled_up(self, best: list[A], count: int) -> list[A]:
        """`best`, and random architectures of other classes if these are fewer than `count`."""
        taken = {**self.asked, **dict.fromkeys(map(self._key, best))}
        while len(best) < count:
            best.append(self._random(taken))
            taken[self._key(best[-1])] = None
        return best

    def _key(self, arch: A) -> str:
        return str(self._class(arch))

    def _allowed(self, archs: list[A]) -> list[bool]:
        """Which architectures satisfy the constraints that cost nothing to check."""
        if self.hints.allowed is None:
            return [True] * len(archs)
        keys = [self._key(arch) for arch in archs]
        new = {key: self._class(arch) for key, arch in zip(keys, archs) if key not in self._within}
        if new:
            self._within.update(zip(new, self.hints.allowed(list(new.values()))))
        return [self._within[key] for key in keys]

    def _random(self, taken: dict[str, None]) -> A:
        """A random architecture of a class that is not in `taken`, or of any class if `MAX_DRAWS` draws find none."""
        for _ in range(MAX_DRAWS):
            arch = self._sample()
            if self._key(arch) not in taken:
                break
        return arch

    def _sample(self) -> A:
        """A random architecture."""
        return self.space.sample(self.rng)

    def _ranking(self) -> list[A]:
        """The observed architectures, the best first; those of equal fitness in the order observed.

        Those outside a limit come after all others, without joint ranks the nearest to it first (Deb 2000): so a search
        that knows few within it mutates what is nearly so.
        """
        if self.limits and self.observed:
            archs, fitness = zip(*self.observed.values())
            quantities = self._observed_quantities()
            if self.limits.joint:
                order = self.limits.order(np.array(fitness), quantities)
            else:
                far = self.limits.excess(quantities, quantities.std(axis=0))
                order = np.lexsort((-np.array(fitness), far, ~self.limits.feasible(quantities)))
            return [archs[row] for row in order]
        return [arch for arch, _ in sorted(self.observed.values(), key=lambda pair: -pair[1])]

    def _observed_quantities(self) -> np.ndarray:
        """The limited quantities (n, limits) of the observed architectures."""
        return np.array([self.limited[key] for key in self.observed])

    def state_dict(self) -> State:
        return {
            **super().state_dict(),
            "told": [[str(arch), fit] for arch, fit in self.observed.values()],
            **({"limited": list(self.limited.values())} if self.limits else {}),
            "asked": list(self.asked),
            "queue": [str(arch) for arch in self.queue],
        }

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        observed = [(self.space.parse(text), fit) for text, fit in state["told"]]
        self.observed = {self._key(arch): (arch, fit) for arch, fit in observed}
        self.limited = dict(zip(self.observed, state.get("limited", [])))
        self.asked = dict.fromkeys(state["asked"])
        self.queue = [self.space.parse(text) for text in state["queue"]]


class ModelBasedStrategy(BatchedStrategy[A]):
    """Proposes the candidates that a model, fitted to all observations before each batch, predicts to be best.

    The model does not learn from architectures that are infeasible, failed, or have a feature without a value.
    """

    def begin(self) -> None:
        super().begin()
        self.library = self._model(0).library

    def _choose(self, count: int) -> list[A]:
        """The best candidates by the model, filled up with random architectures if there are too few."""
        candidates, features = self._usable()
        fitness = self._targets(np.array([fit for _, fit in self.observed.values()]))
        seen = self._features([arch for arch, _ in self.observed.values()])
        learnt = all_known(seen)
        best: list[A] = []
        if candidates and learnt.any():
            model = self._model(self.rng.getrandbits(32))
            model.library = self.library
            known, features = self._scaled(seen[learnt], features)
            mean, sd = model.fit(known, fitness[learnt]).predict(features)
            order = self._order(
                mean, sd, fitness, lambda: self._quantities(known, self._observed_quantities()[learnt], features)
            )
            best = [candidates[row] for row in order[:count]]
        return self._filled_up(best, count)

    def _usable(self) -> tuple[list[A], np.ndarray]:
        """The candidates that satisfy the constraints and have a value of every feature, with their features (m, d)."""
        candidates, features = self._candidates()
        usable = np.array(self._allowed(candidates), dtype=bool) & all_known(features)
        return [arch for arch, good in zip(candidates, usable) if good], features[usable]

    def _order(
        self, mean: np.ndarray, sd: np.ndarray, fitness: np.ndarray, quantities: Callable[[], Prediction]
    ) -> np.ndarray:
        """The candidates (m,), the best first; `quantities()` predicts what is limited (m, limits), if anything is."""
        noise = np.random.default_rng(self.rng.getrandbits(64))
        best = self._best(fitness)
        worth = self._acquisition(mean, sd, best, noise)
        if not self.limits:
            return np.argsort(-worth, kind="stable")
        predicted, known = quantities(), self._observed_quantities()
        if not self.limits.joint and nothing_good(fitness, self.limits.feasible(known), self.options.init):
            return towards(self.limits, worth, Prediction(mean, sd), best, predicted, known.std(axis=0))
        return self.limits.order(worth, predicted.mean)

    def _best(self, fitness: np.ndarray) -> float:
        """The best fitness observed within the limits; the least of all if none is within them."""
        if not self.limits:
            return float(fitness.max())
        within = fitness[self.limits.feasible(self._observed_quantities())]
        return float(within.max() if len(within) else fitness.min())

    def _quantities(self, seen: np.ndarray, values: np.ndarray, features: np.ndarray) -> Prediction:
        """Predictions (m, limits) of the limited quantities for `features` (m, d), each by a model of its own."""
        predicted = []
        for column in values.T:
            model = self._limit_model(self.rng.getrandbits(32))
            model.library = self.library
            predicted.append(model.fit(seen, column).predict(features))
        return Prediction(*(np.stack(part, axis=1) for part in zip(*predicted)))

    def _limit_model(self, seed: int) -> Predictor:
        """A new predictor of a limited quantity, which is not fitted yet."""
        return self._model(seed)

    @abstractmethod
    def _candidates(self) -> tuple[list[A], np.ndarray]:
        """Architectures of different classes not proposed yet, and their features (m, d)."""

    @abstractmethod
    def _features(self, archs: list[A]) -> np.ndarray:
        """Features (n, d) of architectures, through the representatives of their classes."""

    def _scaled(self, seen: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the model gets of the features of the observed architectures (n, d) and of the candidates (m, d)."""
        return seen, features

    def _targets(self, fitness: np.ndarray) -> np.ndarray:
        """What the model learns instead of the fitness (n,): an increasing function of it."""
        return fitness

    @abstractmethod
    def _model(self, seed: int) -> Predictor:
        """A new predictor, which is not fitted yet."""

    @abstractmethod
    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        """The acquisition function (m,), more is better, from the prediction and the best observed fitness."""

    def _mutations(self, parents: list[A], tries: int, count: int) -> dict[str, A]:
        """Mutations of classes not proposed yet: `tries` mutations of each parent in turn, until there are `count`."""
        mutations: dict[str, A] = {}
        for parent in parents:
            if len(mutations) >= count:
                break
            for _ in range(tries):
                arch = self.space.mutate(parent, self.rng)
                key = self._key(arch)
                if key not in self.asked:
                    mutations.setdefault(key, arch)
        return mutations

    def state_dict(self) -> State:
        return {**super().state_dict(), **({} if self.library is None else {"library": self.library})}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.library = state.get("library")  # that of the begun search, whichever are installed now


def all_known(features: np.ndarray) -> np.ndarray:
    """(m,): whether all features of a row (m, d) have a value."""
    return np.isfinite(features).all(axis=1)
