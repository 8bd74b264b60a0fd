"""The search problem of a run: goals, constraints, hints for the strategy, and how candidates are evaluated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

import numpy as np

from nas.core.errors import InputError, NasError
from nas.core.execution.executor import Executor
from nas.core.limit import Limits
from nas.core.seeds import derive
from nas.core.storage.base import Metrics, Store, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.objectives import constant_logits
from nas.objectives.constraints import Constraints
from nas.objectives.functions import FunctionError, is_of_the_function
from nas.objectives.latency import Latency
from nas.objectives.limits import parse_limits, quantities
from nas.objectives.notation import GRAPH, LATENCY, Term, builds, label, parse, source_of
from nas.results import SearchResult
from nas.runs.stages.context import Task, Worker
from nas.search_spaces import SPACES, BuildSettings
from nas.searches.table_rows import TableRows, check_strategy, is_partial
from nas.strategies import STRATEGIES, Goal, Hints, Strategy
from nas.strategies.proxies import PROXIES


@dataclass(frozen=True)
class ScoreTask(Task[Metrics]):
    """Computes metrics of one architecture."""

    arch: str
    metrics: tuple[str, ...]

    def run(self, worker: Worker) -> Metrics:
        return worker.score(self.arch, self.metrics)


class SearchProblem:
    """The space, goals, constraints and strategy of a search, and how its candidates are evaluated.

    It is made in the process that leads the search. Measured latencies and the values of the cheap objective are kept
    in its store, so that a resumed run uses the same ones.
    """

    def __init__(
        self,
        worker: Worker,
        store: Store | None = None,
        executor: Executor[Task[Any], Any] | None = None,
        older: str | None = None,
    ) -> None:
        """Without a store, facts last as long as this object; without an executor nothing can be evaluated.

        `older`: the version that began the run, if that version gave values to networks to which this one gives none.
        """
        self.worker = worker
        self.store = InMemoryStore() if store is None else store
        self.executor = executor
        self.older = older
        self.settings = worker.settings
        self.terms = parse(self.settings.search.objective)
        self.space: Any = SPACES.get(self.settings.space)()

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """The goals in the order of the objective. Raises InputError if a metric is not available."""
        return tuple(map(self._goal, self.terms))

    def _goal(self, term: Term) -> Goal:
        higher = self._own_direction(term.name) if term.higher_is_better is None else term.higher_is_better
        return Goal(label(term.name), higher)

    def _own_direction(self, name: str) -> bool:
        """Whether higher is better in a metric. Raises InputError if its name does not say so."""
        source = source_of(name)
        if source == "table":
            return self.worker.columns([name]).higher_is_better(name)
        return PROXIES.get(name).higher_is_better if source == "proxy" else source != LATENCY

    @cached_property
    def constraints(self) -> Constraints:
        return Constraints(self.settings.search.constraints, lambda: self.worker.trained, self._quantity)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics of an evaluation: those of the goals and of the limits."""
        return tuple(dict.fromkeys([*(term.name for term in self.terms), *quantities(self.settings.search.limits)]))

    @cached_property
    def in_tables(self) -> dict[str, None] | None:
        """The classes with a value in every column of tables among the goals, in order; None without such a goal."""
        columns = [name for name in self.names if source_of(name) == "table"]
        return dict.fromkeys(self.worker.columns(columns).tables.classes(columns)) if columns else None

    @property
    def available(self) -> int | None:
        """The number of classes that can be evaluated at most, where tables say it."""
        return None if self.in_tables is None else len(self.in_tables)

    @cached_property
    def points(self) -> Any:
        """What the strategy searches: the space, or `in_tables` if the tables lack many classes of the space."""
        if self.in_tables is None or not is_partial(self.space, tuple(self.in_tables)):
            return self.space
        return TableRows(self.space, tuple(self.in_tables))

    @property
    def _hint_names(self) -> list[str]:
        """The metrics that the strategy uses besides the objective: its features, and the cheap objective."""
        search = self.settings.search
        names = [name for name in search.features if name != GRAPH]
        return names + ([] if search.cheap is None else [term.name for term in parse(search.cheap)])

    def check(self) -> None:
        """Raises InputError for what would stop the search later, and for hints that the strategy does not use."""
        _ = self.goals, self.constraints, self.strategy
        self.worker.sources(self.names)
        for name in self._hint_names:
            self.worker.sources((name,))
        needed = self.strategy.needs(self.strategy.options)
        if self.settings.search.features != [GRAPH] and "features" not in needed:
            raise InputError(
                f"Expected no search.features with strategy.name={self.strategy.name}, which uses none; leave it out."
            )
        if self.settings.search.cheap is not None and "cheap" not in needed:
            raise InputError(
                f"Expected no search.cheap with strategy.name={self.strategy.name}, which uses none; leave it out."
            )

    @cached_property
    def strategy(self) -> Strategy[Any]:
        """The strategy of the settings, newly made. Raises InputError if it cannot use these goals or hints."""
        settings = self.settings
        kind = STRATEGIES.get(settings.strategy.name)
        cheap = None if settings.search.cheap is None else self._cheap
        if self.points is not self.space:
            check_strategy(kind)
        return kind(
            self.points,
            self.goals,
            derive(settings.seed, "strategy"),
            settings.strategy,
            Hints(self._features, cheap, self._allowed),
            Limits(parse_limits(settings.search.limits, "search.limits"), settings.search.joint),
        )

    def evaluate(self, keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        """The metrics of each architecture, in the order in which they become known.

        Architectures that are no candidates fail first; their networks are not built. Latency is measured next, in this
        process, while no worker is busy.
        """
        left = [key for key in keys if self.is_candidate(key)]
        for key in keys:
            if key not in left:
                yield TaskResult(key, None, constant_logits.REASON, 0.0)
        measured: dict[str, Metrics] = {}
        if LATENCY in self.names:
            for key in left:
                start = time.perf_counter()
                try:
                    measured[key] = {LATENCY: self.latency(key)}
                except NasError as error:
                    yield TaskResult(key, None, str(error), time.perf_counter() - start)
                tick()
            left = [key for key in left if key in measured]
        first = next(iter(self.store.evaluations()), None) is None
        for done in self._executed(left, self.names, tick):
            if first and is_of_the_function(done.failure):
                raise FunctionError(f"{done.failure} It was called for {done.key}, the first of the search.")
            first = False
            yield done if done.result is None else replace(done, result={**measured.get(done.key, {}), **done.result})

    def is_candidate(self, text: str) -> bool:
        """Whether the logits of this architecture's networks, the trained and the scored one, depend on the image.

        Always true if every metric is a column of a table or a short training: their values are right for any network.
        Raises InputError if the answer is no and the older version that began the run gave such networks values.
        """
        return all(self._connected(text, settings, self.names) for settings in self._networks)

    def allow(self, arch: Any) -> bool:
        """Whether constraints hold and, if a goal is a column of tables, these have a value for the class of `arch`.

        Constraints that have to be measured are skipped for an architecture that is no candidate: it will fail anyway.
        """
        if not self._in_tables(arch) or not self.constraints.allow_unmeasured(arch):
            return False
        return not self.constraints.measured or not self.is_candidate(str(arch)) or self.constraints.allow(arch)

    def unsatisfied(self, draws: int) -> NasError:
        """The error to raise if none of `draws` architectures was allowed."""
        if self.in_tables is not None and not self.settings.search.constraints:
            return InputError(
                f"Expected architectures with a value in the tables but none of {draws:,} proposals has one; give "
                "tables with more rows of this space."
            )
        return self.constraints.unsatisfied(draws)

    def _in_tables(self, arch: Any) -> bool:
        return self.in_tables is None or str(self.space.canonical(arch)) in self.in_tables

    @cached_property
    def _networks(self) -> list[BuildSettings]:
        """The settings of the network that would be trained, and of the one that proxies score."""
        if {source_of(name) for name in self.names} <= {"table", "trained", "python"}:
            return []
        scored = [asdict(self.settings.scoring)] if any(map(builds, self.names)) else []
        return [asdict(self.settings.model), *scored]

    def _connected(self, text: str, settings: BuildSettings, names: Iterable[str]) -> bool:
        """Whether the logits of the network with these settings depend on the image; `names` are its metrics.

        Raises InputError if they do not but the older version that began the run computed these metrics nevertheless.
        """
        depends = self.space.connected(self.space.parse(text), **settings)
        if not depends and self.older is not None and constant_logits.had_values(names):
            raise constant_logits.refusal(str(self.worker.folder), text, self.older)
        return depends

    def check_older(self) -> None:
        """Raises InputError if an older version began the run and stored a value that this version would not give."""
        if self.older is None:
            return
        for evaluation in self.store.evaluations():
            if evaluation.result is not None:
                self.is_candidate(evaluation.key)
        for name in filter(builds, self._hint_names):
            for text, (value,) in self.store.under(f"cheap/{name}/").items():
                if value is not None:
                    self._connected(text, asdict(self.settings.scoring), [name])

    def check_found(self, result: SearchResult) -> None:
        """Raises InputError if an older version finished the search and its best architecture is no candidate."""
        self.is_candidate(result.best.arch)

    def sample(self, rng: Random, draws: int) -> Iterator[Any]:
        """Draw `draws` architectures uniformly and yield the representative of each that may be evaluated."""
        for _ in range(draws):
            arch = self.space.canonical(self.points.sample(rng))
            if self.allow(arch):
                yield arch

    def _executed(
        self, keys: Sequence[str], names: tuple[str, ...], tick: Callable[[], None]
    ) -> Iterator[TaskResult[str, Metrics]]:
        assert self.executor is not None
        return self.executor.map([(key, ScoreTask(key, names)) for key in keys], tick)

    def latency(self, text: str) -> float:
        """Milliseconds of one forward pass, measured once per run."""
        key = f"latency/{text}"
        value = self.store.get(key)
        if value is None:
            value = self.measure_latency(text)
            self.store.put(key, value)
        return value

    @cached_property
    def measure_latency(self) -> Latency:
        settings = self.settings
        return Latency(settings.latency, self.worker.trained, settings.torch_device(), settings.executor.threads)

    def _quantity(self, name: str) -> Callable[[str], float]:
        if name == LATENCY:
            return self.latency
        column = self.worker.columns([name])
        return lambda text: column(text)[name]

    def _features(self, archs: Sequence[Any]) -> np.ndarray:
        """(n, d): the parts that `search.features` names, side by side; NaN where a metric has no value."""
        parts = []
        for name in self.settings.search.features:
            if name == GRAPH:
                parts.append(np.stack([self.space.features(arch) for arch in archs]))
            else:
                values = self._metric(name, archs)
                parts.append(np.array([[np.nan if value is None else value] for value in values]))
        return np.concatenate(parts, axis=1)

    def _allowed(self, archs: Sequence[Any]) -> list[bool]:
        return [
            self._in_tables(arch) and self.constraints.allow_unmeasured(self.space.canonical(arch)) for arch in archs
        ]

    def _cheap(self, archs: Sequence[Any]) -> list[float | None]:
        """The fitness of each class by the cheap objective."""
        cheap = self.settings.search.cheap
        assert cheap is not None  # without it, no strategy gets this hint
        (term,) = parse(cheap)
        goal = self._goal(term)
        values = self._metric(term.name, archs)
        return [None if value is None else goal.fitness({goal.name: value}) for value in values]

    def _metric(self, name: str, archs: Sequence[Any]) -> list[float | None]:
        """A metric of each class, computed once per run; None for a class without a value."""
        keys = [str(self.space.canonical(arch)) for arch in archs]
        new = [key for key in dict.fromkeys(keys) if self.store.get(f"cheap/{name}/{key}") is None]
        if self.older is not None and builds(name):
            for key in new:
                self._connected(key, asdict(self.settings.scoring), [name])
        for done in self._executed(new, (name,), lambda: None):
            self.store.put(f"cheap/{name}/{done.key}", [None if done.result is None else done.result[label(name)]])
        return [self.store.get(f"cheap/{name}/{key}")[0] for key in keys]
