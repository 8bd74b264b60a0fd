"""`nas.table_search`: search strategies on published tables, over many seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.api.execution import Progress, shown
from nas.api.process import unchanged_process
from nas.core.errors import InputError
from nas.core.execution.executor import ExecutorSettings
from nas.studies.table_search import table_search as compare_strategies
from nas.studies.table_search_result import TableSearchResult
from nas.studies.table_search_settings import TableSearchSettings
from nas.tables import Collection


def table_search(
    tables: Any,
    objective: str | Sequence[str],
    strategy: str | Sequence[str] = ("random", "evolution", "local"),
    *,
    queries: int = 300,
    seeds: int = 100,
    limits: Sequence[str] = (),
    joint: bool = False,
    count: str = "classes",
    columns: Sequence[str] = (),
    cheap: str | None = None,
    features: Sequence[str] = ("graph",),
    ask: int = 1,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = False,
) -> TableSearchResult:
    """Compare search strategies on published tables, as `nas tables search` does.

    Args:
        tables: what `nas.open_tables` returns.
        objective: a column, or several for one comparison each; `"clean+params:min"` is a search for both goals.
        strategy: names from `nas list strategies`.
        queries: what a run may look up: classes of isomorphic cells or, with `count="strings"`, strings.
        seeds: how many runs of each strategy.
        limits: what is known only after a query: `["edgegpu_latency<=4"]`. What is outside costs a query.
        joint: with limits, whether strategies with a model also rank candidates by the limited columns.
        count: `"classes"` or `"strings"`.
        columns: those of the best architectures that the result has; by default a selection.
        cheap: the cheap objective of a strategy's warm-up and moves.
        features: what predictors see: `"graph"`, and columns.
        ask: how many architectures a strategy proposes at once.
        settings: options of the strategies: `{"evolution.population": 50}`.
        seed: the seeds of all runs are drawn from it.
        workers: processes; they do not change the result.
        progress: true shows it on standard error; a function is called with (done, total, note).

    Returns:
        By objective and strategy, means and deviations over the runs: `result.objectives["clean"].strategies["random"]`
        has `regret` after each query, `queries_to_optimum`, `feasible` (with limits) and `columns`.

    Raises:
        InputError: if a setting is impossible, or the tables lack a column.

    >>> import nas
    >>> found = nas.table_search(tables, "clean", "random", queries=100, seeds=10)  # doctest: +SKIP
    >>> found.strategies["random"].columns["clean"]  # doctest: +SKIP
    Spread(mean=0.9364, sd=0.0031)
    """
    collection = getattr(tables, "collection", tables)
    if not isinstance(collection, Collection):
        raise InputError(f"Expected what nas.open_tables returns but got an object of type {type(tables).__name__}.")
    chosen = TableSearchSettings(
        _names(objective),
        _names(strategy),
        queries=queries,
        seeds=seeds,
        seed=seed,
        ask=ask,
        columns=tuple(_names(columns)),
        cheap=cheap,
        options=tuple(f"{key}={value}" for key, value in (settings or {}).items()),
        features=tuple(_names(features)),
        limit_texts=tuple(_names(limits)),
        count=count,
        joint=joint,
    )
    chosen.check()
    with unchanged_process(), shown(progress) as watcher:
        watcher.stage("search", len(chosen.objectives) * len(chosen.strategies) * seeds)
        how = ExecutorSettings(workers=workers)
        how.check()
        return compare_strategies(collection, chosen, how, lambda runs: watcher.update(runs, ""))


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else [str(one) for one in given]
