"""The search: ask a strategy, score what is new and allowed, tell it, and be able to stop at any moment."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from nas.core.errors import NasError
from nas.core.executor import Done
from nas.core.memory import Memory
from nas.core.store import Evaluation, Store
from nas.search_spaces import SearchSpace
from nas.strategies import Goal, Strategy
from nas.strategies.pareto import fronts

BEST = 5  # architectures in the result of a search for one goal
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
        self.known: dict[str, dict[str, float] | None] = {}
        self.fruitless = 0
        saved = store.get("search/state")
        if saved is not None:
            self.load_state_dict(saved)

    @property
    def finished(self) -> bool:
        return len(self.known) >= self.budget or self.fruitless >= FRUITLESS

    def state_dict(self) -> dict[str, Any]:
        return {"strategy": self.strategy.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strategy.load_state_dict(state["strategy"])
        self.known = {evaluation.key: evaluation.metrics for evaluation in self.store.told()}

    def step(self, evaluate: Evaluate) -> None:
        """One round of ask, evaluate, tell."""
        asked = self.strategy.ask(self.ask)
        representatives = [self.space.canonical(arch) for arch in asked]
        keys = list(map(str, representatives))
        allowed = {key: self.limits.allow(arch) for key, arch in dict(zip(keys, representatives)).items()}
        new = [key for key, good in allowed.items() if good and key not in self.known]
        new = new[: self.budget - len(self.known)]
        self._score([key for key in new if self.store.evaluation(key) is None], evaluate)

        fresh = {key: self.store.evaluation(key) for key in new}
        with self.store.transaction():
            for key, evaluation in fresh.items():
                assert evaluation is not None
                self.store.tell(len(self.known), key)
                self.known[key] = evaluation.metrics
            for arch, key in zip(asked, keys):
                self.strategy.tell(arch, self.known.get(key) if allowed[key] else None)
            if new and self.store.durable:  # a fruitless step is repeated after a kill, to the same end
                self.store.put("search/state", self.state_dict())
        self.fruitless = 0 if new else self.fruitless + len(asked)
        if self.fruitless >= FRUITLESS and not self.known:
            raise self.limits.unsatisfied(FRUITLESS)

    def _score(self, keys: list[str], evaluate: Evaluate) -> None:
        for done in evaluate(keys):
            self.store.record(_evaluation(keys[done.index], done))

    def result(self) -> dict[str, Any]:
        """The five best classes (of several goals: the Pareto front), how many were evaluated, and how many failed."""
        told = [evaluation for evaluation in self.store.told() if evaluation.metrics is not None]
        if not told:
            first = next(iter(self.store.told()), None)
            raise NasError(
                f"Every evaluation of the search failed; the first said: {first.reason if first else 'none ran'}"
            )
        return {
            "best": [{"arch": e.key, "canonical": e.key, "metrics": e.metrics} for e in self._best(told)],
            "evaluated": len(self.known),
            "failed": len(self.known) - len(told),
            "exhausted": len(self.known) < self.budget,
        }

    def _best(self, told: list[Evaluation]) -> list[Evaluation]:
        """The best first, by the first goal; ties in the order told."""
        goals = self.strategy.goals
        fitness = np.array([[goal.fitness(evaluation.metrics or {}) for goal in goals] for evaluation in told])
        if len(goals) > 1:
            front = fronts(fitness)[0]
            return [told[row] for row in sorted(front, key=lambda row: -fitness[row, 0])]
        return [told[row] for row in np.argsort(-fitness[:, 0], kind="stable")[:BEST]]


def trajectory(store: Store, goal: Goal) -> list[dict[str, Any]]:
    """Every evaluation in the order told, with the best value so far."""
    best = -math.inf
    rows = []
    for number, evaluation in enumerate(store.told(), start=1):
        if evaluation.metrics is not None:
            best = max(best, goal.fitness(evaluation.metrics))
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


def _evaluation(key: str, done: Done[dict[str, float]]) -> Evaluation:
    return Evaluation(key, done.result, done.failure, done.seconds)
