"""The tables of the study, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nas.studies.papers.row_store import RowStore
from nas.studies.robust_search.plan import COLUMNS, FRONT_STRATEGIES, GOALS, LIMITS, STRATEGIES
from nas.studies.robust_search.runs import VALUES

RESAMPLES = 4000


def page(store: RowStore) -> str:
    """Both tables, of the rows that there are."""
    parts = [_table(["objective", "strategy", "runs", "found", *QUERY_HEAD], _queries(store))]
    parts += [_table(["limit", "strategy", "runs", *FRONT_HEAD], _fronts(store))]
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
            low, high = _interval(found)
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
            error = 1.96 * share.std(ddof=1) / len(share) ** 0.5 if len(share) > 1 else 0.0
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


def _interval(found: np.ndarray) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    drawn = np.random.default_rng(0).integers(len(found), size=(RESAMPLES, len(found)))
    medians = np.sort(np.sort(found[drawn], axis=1)[:, (len(found) - 1) // 2])  # without means of infinities
    return float(medians[int(0.025 * RESAMPLES)]), float(medians[int(0.975 * RESAMPLES) - 1])


def _count(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "–"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
