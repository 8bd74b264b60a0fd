"""The runs of the study: each finished one is a row of a small CSV file, from which the study goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.strategies.predictors.boosted_trees import SCIKIT_LEARN, XGBOOST, BoostedTrees
from nas.studies.benchmark_files import benchmark_file
from nas.studies.best_cell.plan import MILESTONES, OBJECTIVE, TEST, Block, Task, Variant
from nas.studies.row_store import Key, RowStore, Values
from nas.studies.table_search_runs import SearchRuns
from nas.studies.table_search_settings import TableSearchSettings
from nas.studies.table_view import TableView, table_view
from nas.tables import TableSettings

KEYS = ("images", "limit", "joint", "queries", "seed")
VALUES = (
    *(f"{column}_{after}" for after in MILESTONES for column in ("val", "test")),
    "feasible",  # the share of the queries within the limit
    "optimum",  # after how many queries the best of the table within the limit was asked; empty if never
    "seconds",  # of the processor
)


@dataclass(frozen=True)
class Row:
    """What one run found; validation and test accuracy of the best so far, None if there is none within the limit."""

    val: dict[int, float | None]  # by number of queries
    test: dict[int, float | None]
    feasible: float
    optimum: float | None
    seconds: float

    @classmethod
    def of(cls, values: Values) -> Row:
        cells = dict(zip(VALUES, values))
        val, test = ({after: cells[f"{name}_{after}"] for after in MILESTONES} for name in ("val", "test"))
        return cls(val, test, cells["feasible"] or 0.0, cells["optimum"], cells["seconds"] or 0.0)

    @property
    def values(self) -> Values:
        best = [cells[after] for after in MILESTONES for cells in (self.val, self.test)]
        return (*best, self.feasible, self.optimum, self.seconds)


@dataclass(frozen=True)
class Data:
    """The folders of the benchmarks' files; the first that has a file counts."""

    folders: Sequence[Path]

    def has(self, task: Task) -> bool:
        """Whether the files that a task needs are there."""
        return self._accuracy(task) is not None and (not task.limit or self._latency(task) is not None)

    def view(self, task: Task) -> TableView:
        """The table of a task, in which every string counts. Raises InputError if a file is missing or damaged."""
        return _view(self._accuracy(task), self._latency(task) if task.limit else None, task.images, task.limit)

    def _accuracy(self, task: Task) -> Path | None:
        return benchmark_file(self.folders, f"nasbench201_{task.images}.csv")

    def _latency(self, task: Task) -> Path | None:
        return benchmark_file(self.folders, f"hw_nas_bench_{task.images}.csv")


@lru_cache(maxsize=2)
def _view(accuracy: Path | None, latency: Path | None, images: str, limit: str) -> TableView:
    tables = TableSettings(
        dataset=images,
        accuracy=None if accuracy is None else str(accuracy),
        latency=None if latency is None else str(latency),
    ).open()
    limits = (limit,) if limit else ()
    return table_view(
        tables, TableSearchSettings([OBJECTIVE], ["random"], columns=(TEST,), limit_texts=limits, count="strings")
    )


@dataclass
class Rows:
    """The rows of all variants, in one file for each under `folder`."""

    folder: Path
    write: bool = False
    _stores: dict[str, RowStore] = field(default_factory=dict)

    def of(self, variant: Variant, task: Task) -> dict[int, Row]:
        """The rows of a variant on a task, by seed."""
        store = self._store(variant)
        found = {int(key[-1]): Row.of(values) for key, values in store.rows.items() if key[:-1] == _key(task, 0)[:-1]}
        return dict(sorted(found.items()))

    def has(self, variant: Variant, task: Task, seed: int) -> bool:
        return _key(task, seed) in self._store(variant).rows

    def add(self, variant: Variant, task: Task, seed: int, row: Row) -> None:
        self._store(variant).add(_key(task, seed), row.values)

    def _store(self, variant: Variant) -> RowStore:
        if variant.name not in self._stores:
            path = self.folder / f"{variant.name.replace(', ', '-').replace(' ', '-')}.csv"
            settings = {"strategy": variant.strategy, "options": list(variant.options), "library": _library(variant)}
            if self.write or not path.exists():
                self._stores[variant.name] = RowStore(path, KEYS, VALUES, settings, self.write)
            else:
                self._stores[variant.name] = _as_written(path, settings)
        return self._stores[variant.name]


def _as_written(path: Path, settings: Json) -> RowStore:
    """Rows to read, of whichever library fitted the models."""
    try:
        return RowStore(path, KEYS, VALUES, settings)
    except InputError:
        other = {XGBOOST: SCIKIT_LEARN, SCIKIT_LEARN: XGBOOST}.get(str(settings["library"]))
        return RowStore(path, KEYS, VALUES, {**settings, "library": other})


def _library(variant: Variant) -> str | None:
    """The library on which the numbers of a variant depend, if they do."""
    return BoostedTrees().library if variant.strategy.startswith("xgb") else None


def _key(task: Task, seed: int) -> Key:
    return task.images, task.limit, "joint" if task.joint else "", str(task.queries), str(seed)


def compute(block: Block, rows: Rows, data: Data, report: Callable[[str], None], until: float = float("inf")) -> None:
    """Make the runs of a block that have no row yet; none is begun after the time `until` of `time.monotonic`."""
    variant, task = block.variant, block.task
    for seed in block.seeds:
        if rows.has(variant, task, seed):
            continue
        if time.monotonic() > until:
            return
        row = run(variant, task, data.view(task), seed)
        rows.add(variant, task, seed, row)
        within = f" within {task.limit}{', joint' if task.joint else ''}" if task.limit else ""
        report(f"{variant.name} on {task.images}{within}, {task.queries} queries, seed {seed}: {row.seconds:.1f} s")


def run(variant: Variant, task: Task, view: TableView, seed: int) -> Row:
    """One run. It depends on the seed alone, and its first queries do not depend on how many there are."""
    settings = TableSearchSettings(
        [OBJECTIVE],
        [variant.strategy],
        queries=task.queries,
        options=tuple(f"{variant.strategy}.{option}" for option in variant.options),
        limit_texts=(task.limit,) if task.limit else (),
        count="strings",
        joint=task.joint,
    )
    begun = time.process_time()
    history = SearchRuns(settings, view, {}).history(OBJECTIVE, variant.strategy, seed)
    seconds = time.process_time() - begun
    within = view.feasible(settings.limits)
    val, test = view.values[OBJECTIVE], view.values[TEST]
    best: dict[int, int] = {}
    for after in MILESTONES:
        asked = history[:after][within[history[:after]]]
        if after <= task.queries and len(asked):
            best[after] = int(asked[val[asked].argmax()])  # of equals, the first
    top = np.flatnonzero(val[history] >= np.where(within, val, -np.inf).max())
    top = top[within[history[top]]]
    return Row(
        {after: float(val[best[after]]) if after in best else None for after in MILESTONES},
        {after: float(test[best[after]]) if after in best else None for after in MILESTONES},
        float(within[history].mean()),
        float(top[0] + 1) if len(top) else None,
        seconds,
    )
