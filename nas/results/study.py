"""The result of `nas run` with several seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, key
from nas.core.statistics.repetitions import TTest
from nas.results.base import Result


@dataclass(frozen=True)
class Repeated(Record):
    """A number for each seed, their mean and their standard deviation (n - 1; None for a single seed)."""

    values: list[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class RepeatedModel(Record):
    """A network of a study: its architecture and number of weights for each seed, and its numbers by metric."""

    name: str
    training: str
    archs: list[str] = field(metadata=key("architectures"))
    params: list[int]
    metrics: dict[str, Repeated]


@dataclass(frozen=True)
class RepeatedDifference(Record):
    """A metric of the best cells minus that of the random cells, with tests over seeds and over images."""

    first: str
    second: str
    metric: str
    values: list[float]
    mean: float
    sd: float | None
    seeds: TTest
    p_flip: float  # of the sign-flip test over seeds
    images: TTest | None  # None if the metric is not an accuracy


@dataclass(frozen=True)
class StudyResult(Result):
    """The result of `nas run` with several seeds; `runs` are the folders of the runs, one per seed.

    >>> study.models[0].metrics["clean"].mean
    0.75
    """

    command = "study"

    space: str
    data: str
    seeds: list[int]
    runs: list[str]
    norm: str
    eps: float
    n_test: int
    models: list[RepeatedModel]
    tests: list[RepeatedDifference]
    smallest_p_flip: float
