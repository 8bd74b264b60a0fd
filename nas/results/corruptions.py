"""Accuracies under common corruptions."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, flat, key
from nas.results.base import Count, Interval


@dataclass(frozen=True)
class RelativeErrors(Record):
    """Errors under corruption in percent of a baseline's errors; None if the baseline makes none."""

    mce: float | None
    relative_mce: float | None
    ce: dict[str, float | None]
    relative_ce: dict[str, float | None]


@dataclass(frozen=True)
class CorruptionResult(Record):
    """Accuracies under common corruptions. A mean is over the types in `mean_of`, with equal weights."""

    images: str  # where the corrupted images are from
    n_test: int  # images per type and severity
    severities: list[int]
    clean: float
    mean: float
    mean_of: list[str]
    hrs: float  # of the clean accuracy and the mean
    types: dict[str, float]
    groups: dict[str, float]
    interval: Interval  # of the mean, with images as the sample
    accuracy: dict[str, list[float]]  # by type, one value per severity
    left_out: dict[str, str]  # the reason, by type
    correct_counts: list[int] = field(
        metadata=key("right")
    )  # for each image, how many of its corrupted versions in the mean are classified correctly
    non_finite: dict[str, list[Count]] = field(default_factory=dict)  # number of images, arranged like `accuracy`
    remarks: list[str] = field(default_factory=list)
    relative: RelativeErrors | None = field(default=None, metadata=flat())  # if there is a baseline
    clean_images: str = ""  # where the images of the clean accuracy are from, if from elsewhere
