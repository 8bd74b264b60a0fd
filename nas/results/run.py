"""The result of `nas run`: a search, the trained and attacked networks, and their differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.io.records import Json, Record, key
from nas.results.base import Interval, Result
from nas.results.eval import EvalResult
from nas.results.search import SearchResult


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """The paired difference of two networks on one accuracy, and the verdict of McNemar's exact test on it."""

    first: str
    second: str
    metric: str
    difference: float
    interval: Interval
    p: float | None = None  # None if the outcomes of the images are missing or it was not `judged`
    corrected: float | None = None  # p after Holm's correction for all differences
    significant: bool = field(metadata=key("shown"))  # by `corrected`
    text: str
    judged: bool = False  # whether McNemar's test was tried; version 0.1 had no such test and wrote no `p`

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Difference:
        return super().from_json({**value, "judged": "corrected" in value})

    def to_json(self) -> Json:
        """A judged row has `p` and `corrected` in JSON, null where they are unknown."""
        written = super().to_json()
        if written.pop("judged", False):
            written |= {"p": self.p, "corrected": self.corrected}
        return written


@dataclass(frozen=True)
class RunResult(Result):
    """The result of `nas run`: the search, the networks, and their differences.

    >>> whole_run.search.best.arch == whole_run.arch, whole_run.models[0].clean
    (True, 0.75)
    """

    command = "run"

    arch: str = field(metadata=key("architecture"))
    random_arch: str | None = field(metadata=key("random_architecture"))
    space: str
    data: str
    seeds: dict[str, int]  # of the run, and of each training by the network's name
    search: SearchResult
    models: list[EvalResult]
    differences: list[Difference]
