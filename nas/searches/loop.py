"""The search: ask a strategy, evaluate what is new and allowed, tell it the metrics; it can stop at any moment."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nas.core.errors import NasError
from nas.core.io.checkpoint import State
from nas.core.storage.base import Metrics, Store, TaskResult
from nas.results import FoundArchitecture, LimitedSearch, LimitRound, SearchResult
from nas.strategies import Strategy
from nas.strategies.pareto import rank_sums, undominated

BEST = 5  # architectures in the result of a search for one goal
FRUITLESS = 50_000  # proposals without a new class, after which the space counts as exhausted
Evaluate = Callable[[Sequence[str], Callable[[], None]], Iterable[TaskResult[str, Metrics]]]


class Problem(Protocol):
    """What a search needs: a space, a strategy, which architectures are allowed, and how they are evaluated."""

    @property
    def space(self) -> Any: ...

    @property
    def strategy(self) -> Strategy[Any]: ...

    def allow(self, arch: Any) -> bool:
        """Whether an architecture may be evaluated."""

    def unsatisfied(self, draws: int) -> NasError:
        """The error to raise if none of `draws` proposals was allowed."""

    @property
    def available(self) -> int | None:
        """The number of classes that can be evaluated at most, where it is known."""

    @property
    def evaluate(self) -> Evaluate:
        """The metrics of architectures, in the order in which they become known; `tick` is called now and then."""


@dataclass(frozen=True)
class Unconstrained:
    """A problem in which every architecture is allowed."""

    space: Any
    strategy: Strategy[Any]
    evaluate: Evaluate
    available: int | None = field(default=None, init=False)

    def allow(self, arch: Any) -> bool:
        return True

    def unsatisfied(self, draws: int) -> NasError:
        return NasError(f"Expected new architectures but none of {draws:,} proposals was new.")


@dataclass(frozen=True)
class Batch:
    """What a strategy was asked for in one step."""

    asked: list[Any]  # architectures as the strategy proposed them
    keys: list[str]  # of their representatives
    known: dict[str, TaskResult[str, Metrics] | None]  # the allowed keys, each with its earlier evaluation, if any
    new: list[str]  # to be evaluated


class Search:
    """Runs the ask–tell strategy of a problem until `budget` different classes are evaluated.

    Each class is evaluated once, through its representative, if the constraints allow it. A step asks for `ask`
    architectures, evaluates the new ones and tells the strategy all metrics in the order asked; then the history and
    the strategy's state are saved in one transaction. Evaluations are stored as they finish, so that a kill loses only
    unfinished ones. Only the store holds them, so memory does not grow with their number.
    """

    def __init__(self, problem: Problem, budget: int, ask: int, store: Store) -> None:
        self.problem = problem
        self.space = problem.space
        self.strategy = problem.strategy
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
        available = self.problem.available
        return (
            self.evaluated >= self.budget
            or self.fruitless >= FRUITLESS
            or (available is not None and 0 < available <= self.evaluated)
        )

    def state_dict(self) -> State:
        return {"strategy": self.strategy.state_dict()}

    def load_state_dict(self, state: State) -> None:
        self.strategy.load_state_dict(state["strategy"])
        self.evaluated = self.store.history_length()

    def step(self, tick: Callable[[], None] = lambda: None) -> None:
        """One round of ask, evaluate, tell; `tick` is called now and then while it waits for evaluations.

        Raises the error of `Problem.unsatisfied` if no proposal was ever allowed.
        """
        batch = self.propose(self.ask)
        for evaluation in self.problem.evaluate(self.unevaluated(batch), tick):
            self.store.record(evaluation)
        self.conclude(batch)

    def propose(self, count: int) -> Batch:
        """Ask the strategy for `count` architectures; those that are new and allowed are to be evaluated."""
        asked = self.strategy.ask(count)
        representatives = [self.space.canonical(arch) for arch in asked]
        keys = list(map(str, representatives))
        allowed = {key: self.problem.allow(arch) for key, arch in dict(zip(keys, representatives)).items()}
        known = {key: self.store.from_history(key) for key, good in allowed.items() if good}
        new = [key for key, evaluation in known.items() if evaluation is None]
        return Batch(asked, keys, known, new[: self.budget - self.evaluated])

    def unevaluated(self, batch: Batch) -> list[str]:
        """The architectures of a batch that have not been evaluated yet."""
        return [key for key in batch.new if self.store.evaluation(key) is None]

    def conclude(self, batch: Batch) -> None:
        """Tell the strategy the metrics of a batch whose evaluations are all in the store, and save its state.

        Raises the error of `Problem.unsatisfied` if no proposal was ever allowed.
        """
        known = batch.known | {key: self.store.evaluation(key) for key in batch.new}
        metrics = {key: evaluation.result for key, evaluation in known.items() if evaluation is not None}
        with self.store.transaction():
            for key in batch.new:
                self.store.append_history(key)
            for arch, key in zip(batch.asked, batch.keys):
                found = metrics.get(key)
                if found is None or self.strategy.limits.hold(found):
                    self.strategy.tell(arch, found)
                else:
                    self.strategy.tell_infeasible(arch, found)
            if batch.new and self.store.durable:  # after a kill, a fruitless step is repeated with the same outcome
                self.store.put("search/state", self.state_dict())
        self.evaluated += len(batch.new)
        self.fruitless = 0 if batch.new else self.fruitless + len(batch.asked)
        if self.fruitless >= FRUITLESS and not self.evaluated:
            raise self.problem.unsatisfied(FRUITLESS)

    def result(self, objective: str) -> SearchResult:
        """The best classes by the `objective`: the first five, or the Pareto front of several goals.

        Raises NasError if every evaluation failed, or none is within the limits.
        """
        goals, limits = self.strategy.goals, self.strategy.limits
        fitness, succeeded = array("d"), 0
        for one in self._succeeded():
            succeeded += 1
            if limits.hold(one.result or {}):
                fitness.extend(goal.fitness(one.result or {}) for goal in goals)
        if not succeeded:
            first = next(self.store.history(), None)
            raise NasError(
                f"Every evaluation of the search failed; the first said: {first.failure if first else 'none ran'}"
            )
        if not fitness:
            raise NasError(
                f"Expected an architecture within {limits} but none of the {succeeded:,} evaluated ones is; loosen "
                "search.limits, or evaluate more."
            )
        rows = _best(np.frombuffer(fitness).reshape(-1, len(goals)), self.strategy.sums_ranks)
        wanted = set(rows)
        chosen = {row: one for row, one in enumerate(self._feasible()) if row in wanted}
        return SearchResult(
            objective=objective,
            goals=list(goals),
            top=[FoundArchitecture(e.key, e.key, e.result or {}) for e in map(chosen.__getitem__, rows)],
            evaluated=self.evaluated,
            failed=self.evaluated - succeeded,
            exhausted=self.evaluated < self.budget,
            library=self.strategy.library,
            limited=self._limited() if limits else None,
        )

    def _limited(self) -> LimitedSearch:
        """What was asked within the limits, after each `ask` evaluations."""
        goal, limits = self.strategy.goals[0], self.strategy.limits
        best: float | None = None
        feasible, rounds = 0, []
        for number, one in enumerate(self.store.history(), start=1):
            if one.result is not None and limits.hold(one.result):
                feasible += 1
                value = one.result[goal.name]
                best = value if best is None else (max if goal.higher_is_better else min)(best, value)
            if number % self.ask == 0 or number == self.evaluated:
                rounds.append(LimitRound(number, feasible, best))
        return LimitedSearch(list(map(str, limits.parts)), limits.joint, feasible / self.evaluated, rounds)

    def _succeeded(self) -> Iterator[TaskResult[str, Metrics]]:
        """The evaluations with metrics, in the order of the history."""
        return (evaluation for evaluation in self.store.history() if evaluation.result is not None)

    def _feasible(self) -> Iterator[TaskResult[str, Metrics]]:
        """Those of them that are within the limits."""
        return (evaluation for evaluation in self._succeeded() if self.strategy.limits.hold(evaluation.result or {}))


def _best(fitness: np.ndarray, by_ranks: bool) -> list[int]:
    """The indices of the best rows of `fitness` (n, goals), sorted by the first goal; equal rows keep their order.

    With several goals, the best rows are those of the Pareto front; `by_ranks` sorts them by the sum of the ranks that
    their goals have among all rows.
    """
    if fitness.shape[1] > 1 and by_ranks:
        sums = rank_sums(fitness)
        return sorted(map(int, undominated(fitness)), key=lambda row: sums[row])
    if fitness.shape[1] > 1:
        return sorted(map(int, undominated(fitness)), key=lambda row: -fitness[row, 0])
    return [int(row) for row in np.argsort(-fitness[:, 0], kind="stable")[:BEST]]
