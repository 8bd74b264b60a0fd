"""The runs of the study: each finished one is a row of a CSV file, from which the study goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.strategies.pareto import hypervolume, undominated
from nas.strategies.predictors.boosted_trees import XGBOOST, BoostedTrees
from nas.studies.benchmark_files import benchmark_file
from nas.studies.robust_search.plan import COLUMNS, FRONT_QUERIES, GOALS, ONE_GOAL, POPULATIONS, QUERIES, SEVERAL, Task
from nas.studies.row_store import RowStore, Values
from nas.studies.table_search_runs import SearchRuns, scaled
from nas.studies.table_search_settings import TableSearchSettings
from nas.studies.table_view import TableView, table_view
from nas.tables import TableSettings

KEYS = ("strategy", "objective", "limit", "seed")
VALUES = (
    "optimum",  # after how many queries the best was asked; empty if never
    "regret",  # of the best after the last query, in points; empty for a front
    "regret_50",  # after 50 queries
    "hypervolume",  # share of that of all classes within the limit; empty without a limit
    "clean",  # of the best asked within the limit by the harmonic score; the next two are of the same cell
    "fgsm",
    "pgd",
    "feasible",  # the share of the queries within the limit
    "seconds",  # of the processor
)
STUDY = {"queries": QUERIES, "front_queries": FRONT_QUERIES, "populations": list(POPULATIONS)}


@dataclass(frozen=True)
class Files:
    """The robustness dataset's folder, and the folders of `nasbench201_*.csv` and `hw_nas_bench_cifar10.csv`."""

    robustness: Path
    benchmarks: tuple[Path, ...]

    def view(self, task: Task) -> TableView:
        """The table of a task. Raises InputError if a file is missing or damaged."""
        return _view(self, task.objective, task.limit)

    def benchmark(self, name: str) -> str:
        """The path of a file of `benchmarks`; where none of them has it, that in the first, whose error names it."""
        return str(benchmark_file(self.benchmarks, name) or self.benchmarks[0] / name)


def rows(path: Path, write: bool = False) -> RowStore:
    """The finished rows. Raises InputError if the file is of other settings, or another process writes to it."""
    return RowStore(path, KEYS, VALUES, STUDY, write)


@lru_cache(maxsize=16)
def _view(files: Files, objective: str, limit: str) -> TableView:
    images = COLUMNS.get(objective, "")
    if images:
        tables = TableSettings(dataset=images, accuracy=files.benchmark(f"nasbench201_{images}.csv"))
    else:
        latency = files.benchmark("hw_nas_bench_cifar10.csv") if limit else None
        tables = TableSettings(robustness=str(files.robustness), latency=latency)
    asked = [objective.rpartition(" ")[2]] if not limit else [GOALS, ONE_GOAL]
    return table_view(tables.open(), TableSearchSettings(asked, ["random"], limit_texts=(limit,) if limit else ()))


def run(task: Task, view: TableView) -> Values:
    """The row of one run, which depends on the seed alone.

    Raises InputError for `xgb` without xgboost: other trees give other numbers, and a row does not say whose they are.
    """
    if task.strategy == "xgb" and BoostedTrees().library != XGBOOST:
        raise InputError(
            "Expected the package xgboost for the rows of xgb; pip install 'robust-nas[boosting]', or name the other "
            "strategies after --only."
        )
    one = task.objective.rpartition(" ")[2] if not task.limit else GOALS if task.strategy in SEVERAL else ONE_GOAL
    settings = TableSearchSettings(
        [one],
        [task.strategy],
        queries=FRONT_QUERIES if task.limit else QUERIES,
        options=tuple(text for text in POPULATIONS if text.startswith(f"{task.strategy}.") and task.limit),
        limit_texts=(task.limit,) if task.limit else (),
    )
    best = None if task.limit else np.flatnonzero(view.fitness(one)[:, 0] == view.fitness(one)[:, 0].max())
    begun = time.process_time()
    history = SearchRuns(settings, view, {}).history(one, task.strategy, task.seed, best)
    seconds = time.process_time() - begun
    if not task.limit:
        fitness = view.fitness(one)[:, 0]
        regret = 100 * (fitness.max() - np.maximum.accumulate(fitness[history]))
        points = regret if fitness.max() <= 1 else regret / 100
        found = float(len(history)) if points[-1] == 0 else None
        return (found, float(points[-1]), float(points[: min(50, len(points))][-1]), *[None] * 5, seconds)
    within = view.feasible(settings.limits)
    asked = history[within[history]]
    return (None, None, None, *front(view, asked, within), float(within[history].mean()), seconds)


def front(view: TableView, asked: np.ndarray, within: np.ndarray) -> tuple[float | None, ...]:
    """The share of the hypervolume, and clean, FGSM and PGD accuracy of the best asked by the harmonic score.

    `asked` are rows within the limit, `within` says of every row whether it is. Each goal is scaled from 0, the worst
    in the table, to 1, the best; the worst is the reference point.
    """
    if not len(asked):
        return 0.0, None, None, None
    goals = scaled(view.fitness(GOALS))
    share = _volume(goals[asked]) / _volume(goals[within])
    best = asked[view.fitness(ONE_GOAL)[asked, 0].argmax()]
    return share, *(float(value) for value in view.fitness(GOALS)[best])


def _volume(goals: np.ndarray) -> float:
    goals = np.unique(goals, axis=0)  # duplicates add nothing
    return hypervolume(goals[undominated(goals)], np.zeros(goals.shape[1]))
