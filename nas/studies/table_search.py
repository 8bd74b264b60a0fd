"""Search strategies on a published table: what each finds after each number of queries, over many seeds."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings, results_of
from nas.objectives.constraints import SIZES
from nas.objectives.directions import direction_remarks
from nas.objectives.notation import parse
from nas.strategies import Goal
from nas.strategies.pareto import hypervolume, undominated
from nas.studies.table_search_result import (
    Feasible,
    ObjectiveResult,
    Quartiles,
    Reached,
    Spread,
    StrategyResult,
    TableSearchResult,
)
from nas.studies.table_search_runs import Job, SearchRuns, SearchTrace, scaled
from nas.studies.table_search_settings import COUNTS, TableSearchSettings
from nas.studies.table_view import table_view
from nas.tables import HasCollection

SEEDS_OF_A_JOB = 10


def table_search(
    tables: HasCollection,
    settings: TableSearchSettings,
    how: ExecutorSettings | None = None,
    tick: Callable[[int], None] = lambda runs: None,
) -> TableSearchResult:
    """Compare strategies on tables, which may be what `nas.open_tables` returns, by default in this process.

    `tick` is called with the number of finished runs.

    The best architecture of a run is the best by the objective, of equal ones the first found; with several goals, it
    has the largest mean of the goals, each scaled to 0..1 over the table. Regret is the distance between the objective
    of the best so far and that of the best in the table; with several goals, the missing fraction of the hypervolume of
    the table's Pareto front (goals scaled, their worst values as the reference point).

    Raises InputError before anything runs if the settings or the tables do not allow the comparison, and NasError if a
    run fails.
    """
    settings.check()
    view = table_view(tables.collection, settings)
    several = [objective for objective in settings.objectives if len(view.goals(objective)) > 1]
    runs = SearchRuns(
        settings,
        view,
        {objective: _largest(view.fitness(objective), view.feasible(settings.limits)) for objective in several},
    )
    pairs = [(objective, name) for objective in settings.objectives for name in settings.strategies]
    made = {name: runs.strategy(objective, name, 0) for objective, name in pairs}  # InputError before anything runs
    terms = dict.fromkeys(term for objective in settings.objectives for term in parse(objective))
    names = [*(term.name for term in terms), *(limit.name for limit in settings.limits.parts)]
    measured = [name for name in names if name not in SIZES and settings.count == COUNTS[0]]
    merged = tables.collection.class_remarks(measured)
    remarks = [*direction_remarks(terms), *merged, *(one.remark(settings.queries) for one in made.values())]
    for remark in filter(None, remarks):
        logging.getLogger("nas").warning("%s", remark)
    jobs = [
        Job(objective, name, range(start, min(start + SEEDS_OF_A_JOB, settings.seeds)))
        for objective, name in pairs
        for start in range(0, settings.seeds, SEEDS_OF_A_JOB)
    ]
    results = results_of(runs, jobs, how, "A search", lambda finished: tick(sum(len(job.seeds) for job in finished)))
    parts = {pair: [results[job] for job in jobs if job[:2] == pair] for pair in pairs}
    objectives = {
        objective: ObjectiveResult(
            {name: _summary(runs, objective, name, parts[objective, name]) for name in settings.strategies}
        )
        for objective in settings.objectives
    }
    return TableSearchResult(
        queries=settings.queries,
        seeds=settings.seeds,
        n_classes=len(view.classes),
        count=settings.count,
        columns=view.shown,
        optimum=view.optimum(settings.objectives, settings.limits),
        limits=list(map(str, settings.limits.parts)) or None,
        joint=settings.joint,
        feasible_share=float(view.feasible(settings.limits).mean()) if settings.limits else None,
        objectives=objectives,
        strategies=objectives[settings.objectives[0]].strategies,
    )


def _largest(fitness: np.ndarray, feasible: np.ndarray) -> float:
    """The hypervolume of the Pareto front of all classes within the limits; goals are scaled over all classes."""
    goals = np.unique(scaled(fitness)[feasible], axis=0)  # duplicates add nothing
    volume = hypervolume(goals[undominated(goals)], np.zeros(goals.shape[1]))
    if volume == 0:
        raise InputError("Expected goals that differ over the table but one has the same value everywhere.")
    return volume


def _summary(
    runs: SearchRuns, objective: str, name: str, parts: list[tuple[list[SearchTrace], float]]
) -> StrategyResult:
    """The result of a strategy over the seeds, in their order; a part has traces, and the seconds that they took."""
    traces = [trace for traces, _ in parts for trace in traces]
    best = [trace.best for trace in traces if trace.best >= 0]
    regret = np.stack([trace.regret for trace in traces])  # (seeds, queries)
    low, high = np.percentile(regret, (25, 75), axis=0)
    reached = np.where((regret == 0).any(axis=1), (regret == 0).argmax(axis=1) + 1.0, np.inf)
    median = float(np.median(reached))
    return StrategyResult(
        Reached(median if math.isfinite(median) else None, float(np.isfinite(reached).mean())),
        regret.mean(axis=0).tolist(),
        Quartiles(low.tolist(), high.tolist()),
        round(sum(seconds for _, seconds in parts), 3),
        runs.strategy(objective, name, 0).library,
        _feasible(runs.view.goals(objective)[0], traces) if runs.settings.limits else None,
        {column: _spread(runs.view.values[column][best]) for column in runs.view.shown},
    )


def _feasible(goal: Goal, traces: list[SearchTrace]) -> Feasible:
    """What the runs found within the limits; means over those that found something by then."""
    sign = 1 if goal.higher_is_better else -1
    fitness = sign * np.stack([trace.fitness for trace in traces])  # (seeds, queries)
    found = np.isfinite(fitness)
    total = np.where(found, fitness, 0).sum(axis=0)
    best = [None if not count else float(value / count) for value, count in zip(total, found.sum(axis=0))]
    share = np.mean([trace.feasible for trace in traces], axis=0)
    return Feasible(float(share[-1]), float(found[:, -1].mean()), share.tolist(), best)


def _spread(values: np.ndarray) -> Spread:
    """Mean and standard deviation of the finite values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Spread(None, None)
    return Spread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)
