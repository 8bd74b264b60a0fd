"""The search: ask a strategy, score what is new and allowed, tell it, and be able to stop at any moment."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from nas.core.errors import NasError
from nas.core.execution.executor import Done
from nas.core.storage.memory import Memory
from nas.core.storage.sqlite import Evaluation, Store
from nas.search_spaces import SearchSpace
from nas.strategies import Goal, Strategy
from nas.strategies.pareto import undominated

BEST = 5  # architectures in the result of a search for one goal
REASONS = 100  # different ones that are told apart
FRUITLESS = 50_000  # proposals without a new class after which the space counts as exhausted
Evaluate = Callable[[list[str]], Any]  # architectures -> iterable of Done[metrics]


class Bounds(Protocol):
    """What may be evaluated; see `Limits`."""

    def allow(self, arch: Any) -> bool: ...

    def unsatisfied(self, draws: int) -> NasError: ...


class Search:
    """Runs an ask–tell strategy until `budget` different classes are scored.

    Each class is scored once, through its representative; size limits are checked before. A step asks for `ask`
    architectures, evaluates the new ones and tells all in the order asked; then the told evaluations and the strategy's
    state are saved in one transaction. Evaluations are kept as they finish, so that a kill loses only those under way.
    What was evaluated is in the store alone: memory does not grow with it.
    """

    def __init__(
        self,
        space: SearchSpace,
        strategy: Strategy,
        limits: Bounds,
        budget: int,
        ask: int,
        store: Store | Memory,
    ) -> None:
        self.space = space
        self.strategy = strategy
        self.limits = limits
        self.budget = budget
        self.ask = ask
        self.store = store
        self.evaluated = 0  # classes
        self.fruitless = 0
        saved = store.get("search/state")
        if saved is not None:
            self.load_state_dict(saved)

    @property
    def finished(self) -> bool:
        return self.evaluated >= self.budget or self.fruitless >= FRUITLESS

    def state_dict(self) -> dict[str, Any]:
        return {"strategy": self.strategy.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strategy.load_state_dict(state["strategy"])
        self.evaluated = self.store.count_told()

    def step(self, evaluate: Evaluate) -> None:
        """One round of ask, evaluate, tell."""
        asked = self.strategy.ask(self.ask)
        representatives = [self.space.canonical(arch) for arch in asked]
        keys = list(map(str, representatives))
        allowed = {key: self.limits.allow(arch) for key, arch in dict(zip(keys, representatives)).items()}
        known = {key: self.store.told_of(key) for key, good in allowed.items() if good}
        new = [key for key, evaluation in known.items() if evaluation is None]
        new = new[: self.budget - self.evaluated]
        self._score([key for key in new if self.store.evaluation(key) is None], evaluate)

        known |= {key: self.store.evaluation(key) for key in new}
        metrics = {key: evaluation.metrics for key, evaluation in known.items() if evaluation is not None}
        with self.store.transaction():
            for position, key in enumerate(new, start=self.evaluated):
                self.store.tell(position, key)
            for arch, key in zip(asked, keys):
                self.strategy.tell(arch, metrics.get(key))
            if new and self.store.durable:  # a fruitless step is repeated after a kill, to the same end
                self.store.put("search/state", self.state_dict())
        self.evaluated += len(new)
        self.fruitless = 0 if new else self.fruitless + len(asked)
        if self.fruitless >= FRUITLESS and not self.evaluated:
            raise self.limits.unsatisfied(FRUITLESS)

    def _score(self, keys: list[str], evaluate: Evaluate) -> None:
        for done in evaluate(keys):
            self.store.record(_evaluation(keys[done.index], done))

    def result(self) -> dict[str, Any]:
        """The five best classes (of several goals: the Pareto front), how many were evaluated, and how many failed."""
        goals = self.strategy.goals
        fitness = array("d")
        for one in self._succeeded():
            fitness.extend(goal.fitness(one.metrics or {}) for goal in goals)
        if not fitness:
            first = next(iter(self.store.told()), None)
            raise NasError(
                f"Every evaluation of the search failed; the first said: {first.reason if first else 'none ran'}"
            )
        rows = _best(np.frombuffer(fitness).reshape(-1, len(goals)))
        wanted = set(rows)
        chosen = {row: one for row, one in enumerate(self._succeeded()) if row in wanted}
        return {
            "best": [{"arch": e.key, "canonical": e.key, "metrics": e.metrics} for e in map(chosen.__getitem__, rows)],
            "evaluated": self.evaluated,
            "failed": self.evaluated - len(fitness) // len(goals),
            "exhausted": self.evaluated < self.budget,
        }

    def _succeeded(self) -> Iterator[Evaluation]:
        """In the order told."""
        return (evaluation for evaluation in self.store.told() if evaluation.metrics is not None)


def _best(fitness: np.ndarray) -> list[int]:
    """The best rows first, by the first column; ties in their order. `fitness` is (n, goals)."""
    if fitness.shape[1] > 1:
        return sorted(map(int, undominated(fitness)), key=lambda row: -fitness[row, 0])
    return [int(row) for row in np.argsort(-fitness[:, 0], kind="stable")[:BEST]]


def trajectory(store: Store, goal: Goal, most: int = 20_000) -> list[dict[str, Any]]:
    """Every evaluation in the order told, with the best value so far.

    Of more than `most` only every so-many-th, those that were the best so far, and the last.
    """
    best = -math.inf
    rows = []
    count = store.count_told()
    step = math.ceil(count / most)
    for number, evaluation in enumerate(store.told(), start=1):
        fitness = -math.inf if evaluation.metrics is None else goal.fitness(evaluation.metrics)
        if fitness <= best and number % step and number < count:
            continue
        best = max(best, fitness)
        value = None if evaluation.metrics is None else evaluation.metrics[goal.name]
        rows.append(
            {
                "evaluation": number,
                "arch": evaluation.key,
                "value": value,
                "best": None if math.isinf(best) else best if goal.higher_is_better else -best,
                "reason": evaluation.reason,
            }
        )
    return rows


def failures(store: Store) -> dict[str, int]:
    """How often evaluations failed for each reason; more than `REASONS` different ones are counted as one."""
    counted: dict[str, int] = {}
    for evaluation in store.told():
        if evaluation.metrics is None:
            reason = evaluation.reason or "no reason was kept"
            reason = reason if reason in counted or len(counted) < REASONS else "other reasons"
            counted[reason] = counted.get(reason, 0) + 1
    return counted


def _evaluation(key: str, done: Done[dict[str, float]]) -> Evaluation:
    return Evaluation(key, done.result, done.failure, done.seconds)
