"""Search runs on a published table, in this process or in a worker.

Each run is an ordinary search; a query looks up a class of isomorphic cells in the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from nas.core.errors import InputError, NasError
from nas.core.seeds import derive
from nas.core.storage.base import Metrics, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.objectives.notation import GRAPH
from nas.search_spaces import SearchSpace
from nas.searches.loop import Search, Unconstrained
from nas.searches.table_rows import TableRows, check_strategy, is_partial
from nas.strategies import STRATEGIES, Hints, Strategy
from nas.strategies.pareto import hypervolume
from nas.studies.table_search_settings import TableSearchSettings
from nas.studies.table_view import TableView

EXACT = 1e-9  # a missing fraction of the hypervolume below this counts as 0


class Job(NamedTuple):
    """Runs of one strategy on one objective with some seeds."""

    objective: str
    strategy: str
    seeds: range


class SearchTrace(NamedTuple):
    """What a run found: the row of the best class within the limits (-1 if none is), and curves over the queries."""

    best: int
    regret: np.ndarray  # (queries,)
    feasible: np.ndarray  # (queries,): the share of the queries so far that are within the limits
    fitness: np.ndarray  # (queries,): the best so far within the limits, by the first goal; NaN before the first one


@dataclass(eq=False)
class SearchRuns:
    """Carries out jobs; what a run finds depends on its seed and on nothing else."""

    settings: TableSearchSettings
    view: TableView
    largest: dict[str, float]  # by objective of several goals, the hypervolume of the table's Pareto front
    _known: dict[str, dict[str, Metrics]] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, job: Job) -> list[SearchTrace]:
        fitness = self.view.fitness(job.objective)
        return [
            self.trace(self.history(job.objective, job.strategy, seed), fitness, job.objective) for seed in job.seeds
        ]

    def history(self, objective: str, strategy: str, seed: int, last: np.ndarray | None = None) -> np.ndarray:
        """The rows (n,) of the table that the run with this seed queries, in this order.

        There are fewer than `settings.queries` where the space is exhausted before, or if one of the rows `last` is
        queried, which ends the run.
        """
        metrics = self._metrics(objective)

        def look_up(keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
            return (TaskResult(key, metrics[key], None, 0.0) for key in keys)

        made = self.strategy(objective, strategy, derive(self.settings.seed, "table search", seed))
        store = InMemoryStore()
        search = Search(_Lookups(made.space, made, look_up, metrics), self.settings.queries, self.settings.ask, store)
        ends = {self.view.classes[row] for row in ([] if last is None else last)}
        while not search.finished and not any(store.from_history(text) for text in ends):
            search.step()
        return np.array([self.view.rows[evaluation.key] for evaluation in store.history()])

    def _metrics(self, objective: str) -> dict[str, Metrics]:
        """By class, the goals of an objective and the limited quantities."""
        if objective not in self._known:
            names = [goal.name for goal in self.view.goals(objective)]
            names += [one.name for one in self.settings.limits.parts if one.name not in names]
            values = zip(*(self.view.values[name].tolist() for name in names))
            self._known[objective] = {arch: dict(zip(names, row)) for arch, row in zip(self.view.classes, values)}
        return self._known[objective]

    def strategy(self, objective: str, name: str, seed: int) -> Strategy[Any]:
        """A strategy at its start. Raises InputError if it needs a cheap objective and there is none."""
        kind, options = STRATEGIES.get(name), self.settings.options_of[name]
        if "cheap" in kind.needs(options) and self.settings.cheap is None:
            raise InputError(f"Expected a cheap objective for {name} but got none; give --cheap, such as params.")
        hints = Hints(self._features, None if self.settings.cheap is None else self._cheap, self._allowed)
        if self._partial:
            check_strategy(kind)
        return kind(self._points, self.view.goals(objective), seed, options, hints, self.settings.limits)

    @cached_property
    def _partial(self) -> bool:
        return is_partial(self.view.space, self.view.classes)

    @cached_property
    def _points(self) -> Any:
        """What strategies search: the space, or the rows of a partial table."""
        return TableRows(self.view.space, self.view.classes) if self._partial else self.view.space

    def trace(self, history: np.ndarray, fitness: np.ndarray, objective: str) -> SearchTrace:
        """The trace of a run that queried these rows, in this order; `fitness` is (classes, goals)."""
        within = self._within[history]
        so_far = np.maximum.accumulate(np.where(within, fitness[history, 0], -np.inf))
        so_far[np.isinf(so_far)] = np.nan
        if fitness.shape[1] == 1:
            top = fitness[self._within, 0].max()
            regret = top - np.where(np.isnan(so_far), fitness.min(), so_far)
            worth = fitness[history, 0]
        else:
            goals = scaled(fitness)[history]
            regret = 1 - _volumes(np.where(within[:, None], goals, 0.0)) / self.largest[objective]
            regret[regret < EXACT] = 0.0
            worth = goals.mean(axis=1)
        best = int(history[np.where(within, worth, -np.inf).argmax()]) if within.any() else -1  # of equals, the first
        share = np.cumsum(within) / np.arange(1, len(history) + 1)
        return SearchTrace(best, *map(self._filled, (regret, share, so_far)))

    def _filled(self, curve: np.ndarray) -> np.ndarray:
        """(queries,): a curve whose last value is repeated; a space may be exhausted before all queries are used."""
        return np.concatenate([curve, np.full(self.settings.queries - len(curve), curve[-1])])

    @cached_property
    def _within(self) -> np.ndarray:
        """(classes,): whether each is within the limits."""
        return self.view.feasible(self.settings.limits)

    def _features(self, archs: Sequence[Any]) -> np.ndarray:
        parts = [
            np.stack([_graph_features(self.view.space, arch) for arch in archs])
            if name == GRAPH
            else self.view.of(self.view.values[name], archs)[:, None]
            for name in self.settings.features
        ]
        return np.concatenate(parts, axis=1)

    def _allowed(self, archs: Sequence[Any]) -> list[bool]:
        return list(map(self.view.has, archs))

    def _cheap(self, archs: Sequence[Any]) -> list[float | None]:
        assert self.settings.cheap is not None
        values = self.view.of(self.view.fitness(self.settings.cheap)[:, 0], archs).tolist()
        return [None if math.isnan(value) else value for value in values]


@dataclass(frozen=True)
class _Lookups(Unconstrained):
    """The problem of the search: an evaluation is a look-up in the table, and no other architectures are allowed."""

    metrics: dict[str, Metrics]

    def allow(self, arch: Any) -> bool:
        return str(arch) in self.metrics

    def unsatisfied(self, draws: int) -> NasError:
        return NasError(f"Expected architectures that the table has but none of {draws:,} proposals is one.")


@cache
def _graph_features(space: SearchSpace[Any], arch: Any) -> np.ndarray:
    return space.features(arch)


def scaled(fitness: np.ndarray) -> np.ndarray:
    """The goals (classes, goals), each scaled from 0, the worst in the table, to 1, the best."""
    low, high = fitness.min(axis=0), fitness.max(axis=0)
    return (fitness - low) / np.where(high > low, high - low, 1.0)


def _volumes(goals: np.ndarray) -> np.ndarray:
    """The hypervolume above 0 of the first 1, 2, ... rows."""
    reference = np.zeros(goals.shape[1])
    front, volume, volumes = goals[:0], 0.0, np.empty(len(goals))
    for number, row in enumerate(goals):
        if not (front >= row).all(axis=1).any():
            front = np.concatenate([front[~(row >= front).all(axis=1)], row[None]])
            volume = hypervolume(front, reference)
        volumes[number] = volume
    return volumes
