"""The result of a comparison of search strategies on published tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nas.core.io.files import csv_text
from nas.core.io.records import Json, Record, flat


@dataclass(frozen=True)
class Spread(Record):
    """Mean and standard deviation; None where there is no value."""

    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Reached(Record):
    """After how many queries the best of the table was found, and by which fraction of the runs."""

    median: float | None
    found: float


@dataclass(frozen=True)
class Quartiles(Record):
    """The quartiles of the regret after each query."""

    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Feasible(Record):
    """What a strategy asked within the limits, as means over the runs."""

    share: float  # of all queries
    runs: float  # the fraction of the runs that found an architecture within the limits
    shares: list[float]  # of the queries so far, after each query
    best: list[float | None]  # the best so far within the limits, after each query; None before any run has one


@dataclass(frozen=True)
class StrategyResult(Record):
    """What a strategy found on an objective, over the seeds; `columns` are those of the best architectures."""

    queries_to_optimum: Reached
    regret: list[float]  # mean, after each query
    regret_quartiles: Quartiles
    seconds: float
    library: str | None = None  # which fitted the strategy's model, if the numbers depend on that
    feasible: Feasible | None = None  # if there are limits
    columns: dict[str, Spread] = field(default_factory=dict, metadata=flat(""))

    def to_json(self) -> Json:
        """The columns come first."""
        entries = super().to_json()
        return {name: entries[name] for name in (*self.columns, *entries)}


@dataclass(frozen=True)
class ObjectiveResult(Record):
    """The results of all strategies on one objective."""

    strategies: dict[str, StrategyResult]


@dataclass(frozen=True, kw_only=True)
class TableSearchResult(Record):
    """The results of all strategies on all objectives; `dataset` is empty until the command names it."""

    dataset: str = ""
    queries: int
    seeds: int
    n_classes: int  # strings if they are counted
    count: str = "classes"  # what a query is: one of classes or strings
    columns: list[str]
    limits: list[str] | None = None
    joint: bool = False  # whether strategies also ranked by the limited columns
    feasible_share: float | None = None  # of the classes of the table, if there are limits
    optimum: dict[str, float | None]  # by column
    objectives: dict[str, ObjectiveResult]
    strategies: dict[str, StrategyResult]  # of the first objective


def csv_rows(result: TableSearchResult) -> str:
    """One row per objective, strategy and column; an empty cell where the table has no value.

    With limits, `feasible` is the share of the queries within them and `runs_within` that of the runs that found one.
    """
    header: list[Any] = [
        "objective",
        "strategy",
        "column",
        "mean",
        "sd",
        "optimum",
        "queries",
        "seeds",
        "found",
        "seconds",
    ]
    limited = ["feasible", "runs_within"] if result.limits else []
    rows = [[*header, *limited]]
    for objective, entry in result.objectives.items():
        for name, one in entry.strategies.items():
            others = [result.queries, result.seeds, one.queries_to_optimum.found, one.seconds]
            if one.feasible is not None:
                others += [one.feasible.share, one.feasible.runs]
            for column, spread in one.columns.items():
                rows.append([objective, name, column, spread.mean, spread.sd, result.optimum[column], *others])
    return csv_text(rows)
