"""Accuracies under common corruptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, flat
from nas.results.base import Count, Interval


@dataclass(frozen=True)
class RelativeErrors(Record):
    """Errors under corruption in percent of a baseline's; None where that makes none."""

    mce: float | None
    relative_mce: float | None
    ce: dict[str, float | None]
    relative_ce: dict[str, float | None]


@dataclass(frozen=True)
class CorruptionResult(Record):
    """Accuracies under common corruptions; means are over the types `mean_of`, each counted the same."""

    images: str  # where they are from
    n_test: int  # per type and severity
    severities: list[int]
    clean: float
    mean: float
    mean_of: list[str]
    hrs: float  # of the clean accuracy and the mean
    types: dict[str, float]
    groups: dict[str, float]
    interval: Interval  # of the mean, with images as the sample
    accuracy: dict[str, list[float]]  # by type, one per severity
    left_out: dict[str, str]  # types, and why
    right: list[int]  # of each image, how many of its versions in the mean are classified correctly
    non_finite: dict[str, list[Count]] = field(default_factory=dict)  # images, as `accuracy`
    remarks: list[str] = field(default_factory=list)
    relative: RelativeErrors | None = field(default=None, metadata=flat())  # where there is a baseline
    clean_images: str = ""  # of which the clean accuracy is, where that is not given with them
