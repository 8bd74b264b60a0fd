"""Search strategies on a published table: what each finds after so many queries, over many seeds.

Each run is the ordinary search, with a table in the place of evaluations; a query is a class of isomorphic cells.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np

from nas.core import config
from nas.core.errors import InputError, NasError
from nas.core.execution.executor import ExecutorSettings, executor_for
from nas.core.io.records import Json, Record, flat
from nas.core.registry import suggest
from nas.core.seeds import derive
from nas.core.storage.base import Metrics, TaskResult
from nas.core.storage.memory import InMemoryStore
from nas.objectives.notation import GRAPH, Term, parse
from nas.search_spaces import NASBench201
from nas.searches.loop import Search
from nas.searches.percentile_ranks import default_columns
from nas.strategies import STRATEGIES, Goal, Hints, Strategy
from nas.strategies.pareto import hypervolume, undominated
from nas.strategies.proxies import PROXIES
from nas.tables import Collection

SIZES = {"params": lambda cost: cost.params, "flops": lambda cost: cost.macs}  # known without a table
CHUNK = 10  # seeds of a job
EXACT = 1e-9  # a share of the hypervolume less than this below 1 is all of it
MOST = 100_000  # queries or seeds


@dataclass(frozen=True)
class Study:
    """What is compared: every strategy on every objective, with every seed."""

    objectives: list[str]  # `fgsm@1`, or `clean+params:min` for several goals at once
    strategies: list[str]
    queries: int = 300
    seeds: int = 100
    seed: int = 0
    ask: int = 1
    columns: tuple[str, ...] = ()  # of the best architecture found; a selection by default
    cheap: str | None = None  # the cheap objective of the strategies that use one
    options: tuple[str, ...] = ()  # `evolution.population=50`
    features: tuple[str, ...] = (GRAPH,)  # what predictors see: the cell's graph, and columns

    def check(self) -> None:
        for key, most in (("queries", MOST), ("seeds", MOST), ("ask", MOST)):
            if not 1 <= getattr(self, key) <= most:
                raise InputError(f"Expected --{key} between 1 and {most:,} but got {getattr(self, key)}.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"Expected --seed between 0 and 2^63 but got {self.seed}.")
        if self.cheap is not None and not self._needed("cheap"):
            raise InputError(f"Expected no --cheap, which none of {', '.join(self.strategies)} uses; leave it out.")
        if not self.features:
            raise InputError(f"Expected --features such as {GRAPH},scores:nwot but got none.")
        if self.features != (GRAPH,) and not self._needed("features"):
            raise InputError(f"Expected no --features, which none of {', '.join(self.strategies)} uses; leave it out.")
        for key in ("objectives", "strategies"):
            names = getattr(self, key)
            if not names or len(set(names)) < len(names):
                raise InputError(f"Expected different {key} but got {', '.join(names) or 'none'}.")

    def _needed(self, hint: str) -> bool:
        """Whether one of the strategies needs the hint under its options."""
        options = options_of(self.options, self.strategies)
        return any(hint in STRATEGIES.get(name).needs(options[name]) for name in self.strategies)


@dataclass(frozen=True)
class Spread(Record):
    """Mean and standard deviation; None where there is no value."""

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Reached(Record):
    """After how many queries the table's best was found, and by which share of the runs."""

    median: float | None
    found: float


@dataclass(frozen=True)
class Quartiles(Record):
    """After each query."""

    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class StrategyResult(Record):
    """What a strategy found on an objective, over the seeds; `columns` are of the best architectures."""

    queries_to_optimum: Reached
    regret: list[float]  # mean, after each query
    regret_quartiles: Quartiles
    seconds: float
    columns: dict[str, Spread] = field(metadata=flat(""))

    def to_json(self) -> Json:
        """The columns come first."""
        found = super().to_json()
        return {name: found[name] for name in (*self.columns, *found)}


@dataclass(frozen=True)
class ObjectiveResult(Record):
    strategies: dict[str, StrategyResult]


@dataclass(frozen=True, kw_only=True)
class TableSearchResult(Record):
    """What `table_search` finds, with the data set where it is told."""

    dataset: str = ""
    queries: int
    seeds: int
    n_classes: int
    columns: list[str]
    optimum: dict[str, float | None]  # by column
    objectives: dict[str, ObjectiveResult]
    strategies: dict[str, StrategyResult]  # of the first objective


@dataclass(frozen=True)
class Known:
    """The classes that a table has a value for in every objective, and columns of it. Everything else is out of
    bounds for the search and costs no query."""

    classes: list[str]
    shown: list[str]  # columns of the result
    values: dict[str, np.ndarray]  # by column, (classes,)
    higher: dict[str, bool]

    def goals(self, objective: str) -> tuple[Goal, ...]:
        return tuple(_goal(term, self.higher) for term in parse(objective))

    def fitness(self, objective: str) -> np.ndarray:
        """(classes, goals), more is better."""
        goals = self.goals(objective)
        return np.stack([self.values[g.name] if g.higher_is_better else -self.values[g.name] for g in goals], axis=1)

    def optimum(self, objectives: list[str]) -> dict[str, float | None]:
        """The best value of each column; one that an objective turns (`params:min`), in that direction."""
        goals = [goal for objective in objectives for goal in self.goals(objective)]
        higher = {**self.higher, **{goal.name: goal.higher_is_better for goal in reversed(goals)}}
        best: dict[str, float | None] = {}
        for name in self.shown:
            values = self.values[name][np.isfinite(self.values[name])]
            best[name] = None if not len(values) else float(values.max() if higher[name] else values.min())
        return best


def known(tables: Collection, study: Study) -> Known:
    """Reads the columns that a study needs; `InputError` where there is none of a name."""
    goals = [term.name for objective in study.objectives for term in parse(objective)]
    shown = [] if study.columns else default_columns(tables)
    shown = list(dict.fromkeys([*(shown or tables.chosen(study.columns)), *goals]))
    cheap = [term.name for term in parse(study.cheap)] if study.cheap is not None else []
    if len(cheap) > 1:
        raise InputError(f"Expected one cheap objective but got {study.cheap!r}.")
    measured = [name for name in goals if name not in SIZES] or [name for name in shown if name not in SIZES]
    classes = tables.classes(measured)
    columns = list(dict.fromkeys([*shown, *cheap, *(name for name in study.features if name != GRAPH)]))
    found = Known(
        classes,
        shown,
        {name: _values(tables, name, classes) for name in columns},
        {name: _higher(tables, name) for name in columns},
    )
    if study.queries > len(classes):
        raise InputError(
            f"Expected --queries of at most {len(classes):,}, the classes with a value in {', '.join(measured)}, but "
            f"got {study.queries:,}."
        )
    return found


def _values(tables: Collection, name: str, classes: list[str]) -> np.ndarray:
    if name not in SIZES:
        return tables.values(name, classes)
    space = NASBench201()
    return np.array([float(SIZES[name](space.cost(space.parse(text)))) for text in classes])


def _higher(tables: Collection, name: str) -> bool:
    """The direction of a column, as `search.objective` takes it: proxies' scores as the registry says."""
    proxy = PROXIES.components.get(name.rpartition(":")[2])
    if proxy is not None and (name in SIZES or name.startswith("scores:")):
        return proxy.higher_is_better
    return tables.higher_is_better(name)


def _goal(term: Term, higher: dict[str, bool]) -> Goal:
    return Goal(term.name, higher[term.name] if term.higher_is_better is None else term.higher_is_better)


class Job(NamedTuple):
    """Runs of one strategy on one objective with some seeds."""

    objective: str
    strategy: str
    seeds: range


class Outcome(NamedTuple):
    """What a run found: the number of the best class, and the regret after each query."""

    best: int
    regret: np.ndarray  # (queries,)


@dataclass
class Runs:
    """Does the jobs of a study, in this process or in a worker: a run depends on its seed and nothing else."""

    study: Study
    known: Known
    largest: dict[str, float]  # by objective of several goals, the hypervolume of the table's Pareto front

    def __call__(self, job: Job) -> list[Outcome]:
        number = {name: row for row, name in enumerate(self.known.classes)}
        goals = self.known.goals(job.objective)
        columns = [self.known.values[goal.name].tolist() for goal in goals]
        metrics = {
            name: {goal.name: column[row] for goal, column in zip(goals, columns)} for name, row in number.items()
        }
        fitness = self.known.fitness(job.objective)
        outcomes = []
        for seed in job.seeds:
            strategy = self.strategy(job.objective, job.strategy, derive(self.study.seed, "table search", seed))
            store = InMemoryStore()
            search = Search(_Lookups(strategy, metrics), self.study.queries, self.study.ask, store)
            while not search.finished:
                search.step()
            told = np.array([number[evaluation.key] for evaluation in store.history()])
            outcomes.append(self._outcome(told, fitness, job.objective))
        return outcomes

    def strategy(self, objective: str, name: str, seed: int) -> Strategy[Any]:
        kind = STRATEGIES.get(name)
        options = options_of(self.study.options, self.study.strategies)[name]
        if "cheap" in kind.needs(options) and self.study.cheap is None:
            raise InputError(f"Expected a cheap objective for {name} but got none; give --cheap, such as params.")
        cheap = None if self.study.cheap is None else self._cheap(self.study.cheap)
        space = NASBench201()
        return kind(space, self.known.goals(objective), seed, options, Hints(self._features, cheap, self._allowed))

    @cached_property
    def _features(self) -> Callable[[Sequence[Any]], np.ndarray]:
        """The same function for all runs, so that what is described once stays known."""
        if self.study.features == (GRAPH,):
            return _features
        space, number = NASBench201(), {name: row for row, name in enumerate(self.known.classes)}
        columns = {name: self.known.values[name] for name in self.study.features if name != GRAPH}

        def features(archs: Sequence[Any]) -> np.ndarray:
            rows = np.array([number.get(str(space.canonical(arch)), -1) for arch in archs])
            parts = [
                _features(archs) if name == GRAPH else np.where(rows < 0, np.nan, columns[name][rows])[:, None]
                for name in self.study.features
            ]
            return np.concatenate(parts, axis=1)

        return features

    def _allowed(self, archs: Sequence[Any]) -> list[bool]:
        known = set(self.known.classes)
        return [str(NASBench201().canonical(arch)) in known for arch in archs]

    def _cheap(self, name: str) -> Callable[[Sequence[Any]], list[float | None]]:
        space = NASBench201()
        fitness = dict(zip(self.known.classes, self.known.fitness(name)[:, 0].tolist()))

        def cheap(archs: Sequence[Any]) -> list[float | None]:
            found = [fitness.get(str(space.canonical(arch)), math.nan) for arch in archs]
            return [None if math.isnan(value) else value for value in found]

        return cheap

    def _outcome(self, told: np.ndarray, fitness: np.ndarray, objective: str) -> Outcome:
        values = fitness[told]
        if fitness.shape[1] == 1:
            regret = fitness.max() - np.maximum.accumulate(values[:, 0])
            best = int(told[values[:, 0].argmax()])  # the first found of equals
        else:
            shares = scaled(fitness)[told]
            regret = 1 - _volumes(shares) / self.largest[objective]
            regret[regret < EXACT] = 0.0
            best = int(told[shares.mean(axis=1).argmax()])
        missing = self.study.queries - len(regret)  # a space may be exhausted before
        return Outcome(best, np.concatenate([regret, np.full(missing, regret[-1])]))


@dataclass(frozen=True)
class _Lookups:
    """A problem in which an evaluation is a look into the table, and only what stands there is allowed."""

    strategy: Strategy[Any]
    metrics: dict[str, Metrics]

    @property
    def space(self) -> Any:
        return self.strategy.space

    def allow(self, arch: Any) -> bool:
        return str(arch) in self.metrics

    def evaluate(self, keys: Sequence[str], tick: Callable[[], None]) -> Iterator[TaskResult[str, Metrics]]:
        return (TaskResult(key, self.metrics[key], None, 0.0) for key in keys)

    def unsatisfied(self, draws: int) -> NasError:
        return NasError(f"Expected architectures that the table has but {draws:,} proposals had none.")


def scaled(fitness: np.ndarray) -> np.ndarray:
    """Each goal from 0, the worst in the table, to 1, the best."""
    low, high = fitness.min(axis=0), fitness.max(axis=0)
    return (fitness - low) / np.where(high > low, high - low, 1.0)


def _volumes(shares: np.ndarray) -> np.ndarray:
    """The hypervolume above 0 of the first 1, 2, ... rows."""
    reference = np.zeros(shares.shape[1])
    front, volume, found = shares[:0], 0.0, np.empty(len(shares))
    for number, row in enumerate(shares):
        if not (front >= row).all(axis=1).any():
            front = np.concatenate([front[~(row >= front).all(axis=1)], row[None]])
            volume = hypervolume(front, reference)
        found[number] = volume
    return found


@cache
def _feature(arch: Any) -> np.ndarray:
    return NASBench201().features(arch)


def _features(archs: Sequence[Any]) -> np.ndarray:
    return np.stack([_feature(arch) for arch in archs])


def options_of(texts: Sequence[str], strategies: Sequence[str]) -> dict[str, object]:
    """The checked options of each strategy, from `strategy.key=value`."""
    by_name: dict[str, list[str]] = {name: [] for name in strategies}
    for text in texts:
        name, dot, rest = text.partition(".")
        if not dot or "=" not in rest:
            raise InputError(f"Expected --set of the form strategy.key=value but got {text!r}.")
        if name not in by_name:
            raise InputError(
                f"Expected --set for one of {', '.join(by_name)} but got {text!r}{suggest(name, list(by_name))}."
            )
        by_name[name].append(rest)
    found: dict[str, object] = {}
    for name, overrides in by_name.items():
        kind = STRATEGIES.get(name).Options
        try:
            found[name] = config.checked(config.override({}, overrides, kind), kind)
        except config.UnknownKey as error:
            others = [one for one in STRATEGIES.names() if config.has_key(STRATEGIES.get(one).Options, error.key)]
            told = error.elsewhere("", name, others) if others else error
            raise InputError(f"{name}: {told}") from error
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    return found


def table_search(
    tables: Collection,
    study: Study,
    how: ExecutorSettings | None = None,
    tick: Callable[[int], None] = lambda runs: None,
) -> TableSearchResult:
    """Runs a study, by default in this process. `tick` is told how many runs are done.

    The best architecture of a run is the best by the objective, the first found of equals; of several goals, that of
    the largest mean of the goals, each scaled to 0..1 over the table. Regret is how far the objective of the best so
    far is from the table's best; of several goals, the share of the hypervolume of the table's Pareto front (goals
    scaled, above the worst) that is missing.
    """
    study.check()
    found = known(tables, study)
    several = [objective for objective in study.objectives if len(found.goals(objective)) > 1]
    runs = Runs(study, found, {objective: _largest(found.fitness(objective)) for objective in several})
    for objective in study.objectives:
        for name in study.strategies:
            runs.strategy(objective, name, 0)  # what is wrong is told before anything runs
    jobs = [
        Job(objective, name, range(start, min(start + CHUNK, study.seeds)))
        for objective in study.objectives
        for name in study.strategies
        for start in range(0, study.seeds, CHUNK)
    ]
    finished: dict[int, TaskResult[int, list[Outcome]]] = {}
    with executor_for(runs, how or ExecutorSettings(workers=1), "cpu", len(jobs)) as executor:
        for done in executor.map(enumerate(jobs)):
            if done.failure is not None:
                raise NasError(f"A search failed: {done.failure}")
            finished[done.key] = done
            tick(sum(len(jobs[index].seeds) for index in finished))
    objectives = {}
    for objective in study.objectives:
        parts = {
            name: [finished[index] for index, job in enumerate(jobs) if job[:2] == (objective, name)]
            for name in study.strategies
        }
        objectives[objective] = ObjectiveResult({name: _summary(found, ended) for name, ended in parts.items()})
    return TableSearchResult(
        queries=study.queries,
        seeds=study.seeds,
        n_classes=len(found.classes),
        columns=found.shown,
        optimum=found.optimum(study.objectives),
        objectives=objectives,
        strategies=objectives[study.objectives[0]].strategies,
    )


def _largest(fitness: np.ndarray) -> float:
    shares = np.unique(scaled(fitness), axis=0)  # equals add nothing
    volume = hypervolume(shares[undominated(shares)], np.zeros(shares.shape[1]))
    if volume == 0:
        raise InputError("Expected goals that differ over the table but one has the same value everywhere.")
    return volume


def _summary(found: Known, parts: list[TaskResult[int, list[Outcome]]]) -> StrategyResult:
    """Over the seeds, in their order."""
    outcomes = [outcome for part in parts for outcome in part.result or []]
    best = [outcome.best for outcome in outcomes]
    regret = np.stack([outcome.regret for outcome in outcomes])  # (seeds, queries)
    low, high = np.percentile(regret, (25, 75), axis=0)
    reached = np.where((regret == 0).any(axis=1), (regret == 0).argmax(axis=1) + 1.0, np.inf)
    median = float(np.median(reached))
    return StrategyResult(
        Reached(median if math.isfinite(median) else None, float(np.isfinite(reached).mean())),
        regret.mean(axis=0).tolist(),
        Quartiles(low.tolist(), high.tolist()),
        round(sum(part.seconds for part in parts), 3),
        {name: _spread(found.values[name][best]) for name in found.shown},
    )


def _spread(values: np.ndarray) -> Spread:
    """Of the values that there are."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Spread(None, None)
    return Spread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)


def csv_rows(result: TableSearchResult) -> str:
    """One row per objective, strategy and column; empty where the table has no value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = ["objective", "strategy", "column", "mean", "sd", "optimum", "queries", "seeds", "found", "seconds"]
    writer.writerow(header)
    for objective, entry in result.objectives.items():
        for name, found in entry.strategies.items():
            others = [result.queries, result.seeds, found.queries_to_optimum.found, found.seconds]
            for column, spread in found.columns.items():
                values = [spread.mean, spread.sd, result.optimum[column]]
                writer.writerow([objective, name, column, *values, *others])
    return file.getvalue()
