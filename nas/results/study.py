"""What `nas run` gives back of several seeds."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, key
from nas.core.statistics.repetitions import TTest
from nas.results.base import Result


@dataclass(frozen=True)
class Repeated(Record):
    """A number under each seed, with their mean and standard deviation (n - 1; None of a single one)."""

    values: list[float]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class RepeatedModel(Record):
    """A network of a study: of each seed its architecture and weights, and its numbers by metric."""

    name: str
    training: str
    archs: list[str] = field(metadata=key("architectures"))
    params: list[int]
    metrics: dict[str, Repeated]


@dataclass(frozen=True)
class RepeatedDifference(Record):
    """A number of the best cells minus that of the random ones, and tests over the seeds and over the images."""

    first: str
    second: str
    metric: str
    values: list[float]
    mean: float
    sd: float | None
    seeds: TTest
    p_flip: float
    images: TTest | None  # None where the number is not one of single images


@dataclass(frozen=True)
class StudyResult(Result):
    """Of `nas run` with several seeds; each has a run of its own in a folder of `runs`."""

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
