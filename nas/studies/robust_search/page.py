"""The tables of the study, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nas.core.statistics.repetitions import median_interval, t_test
from nas.studies.markdown import table
from nas.studies.robust_search.plan import COLUMNS, FRONT_STRATEGIES, GOALS, LIMITS, STRATEGIES
from nas.studies.robust_search.runs import VALUES
from nas.studies.row_store import RowStore


def page(store: RowStore) -> str:
    """Both tables, of the rows that there are."""
    parts = [table(["objective", "strategy", "runs", "found", *QUERY_HEAD], _queries(store))]
    parts += [table(["limit", "strategy", "runs", *FRONT_HEAD], _fronts(store))]
    return "\n\n".join(parts)


QUERY_HEAD = ("median queries", "worst", "mean regret at 50", "at the end", "largest")
FRONT_HEAD = ("hypervolume", "clean", "FGSM", "PGD", "within")


def _queries(store: RowStore) -> Iterable[list[str]]:
    for column in COLUMNS:
        for name in STRATEGIES:
            values = _of(store, name, column, "")
            if not len(values):
                continue
            found = np.where(np.isnan(values["optimum"]), np.inf, values["optimum"])
            low, high = median_interval(found)
            worst = found.max()
            yield [
                column,
                name,
                str(len(found)),
                f"{np.isfinite(found).mean():.0%}",
                f"{_count(np.median(found))} [{_count(low)}, {_count(high)}]",
                _count(worst),
                f"{values['regret_50'].mean():.2f}",
                f"{values['regret'].mean():.2f}",
                f"{values['regret'].max():.2f}",
            ]


def _fronts(store: RowStore) -> Iterable[list[str]]:
    for limit in LIMITS:
        for name in FRONT_STRATEGIES:
            values = _of(store, name, GOALS, limit)
            if not len(values):
                continue
            share = values["hypervolume"]
            test = t_test(share.tolist())
            error = 0.0 if test.high is None else test.high - test.mean
            means = [f"{100 * np.nanmean(values[key]):.1f}" for key in ("clean", "fgsm", "pgd")]
            within = f"{values['feasible'].mean():.2f}"
            yield [limit, name, str(len(share)), f"{share.mean():.3f} ± {error:.3f}", *means, within]


def _of(store: RowStore, strategy: str, objective: str, limit: str) -> np.ndarray:
    """The rows of a strategy on a task, with the values by name; NaN where there is none."""
    found = [
        tuple(np.nan if value is None else value for value in values)
        for key, values in store.rows.items()
        if key[:3] == (strategy, objective, limit)
    ]
    return np.array(found, dtype=[(name, float) for name in VALUES])


def _count(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "–"
