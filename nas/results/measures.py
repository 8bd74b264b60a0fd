"""What an evaluation measures besides accuracies: calibration, curvature, single classes, the loss landscape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.io.records import Json, Record, key
from nas.results.base import NOT_COUNTED, Count


@dataclass(frozen=True)
class Bin(Record):
    """The images whose confidence falls in one bin: how many, their mean confidence and their accuracy."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability(Record):
    """The expected calibration error, None (as the confidence) where no image has finite logits."""

    ece: float | None
    accuracy: float
    confidence: float | None
    bins: list[Bin]
    non_finite: int = NOT_COUNTED  # images without finite logits, which count as wrong


@dataclass(frozen=True)
class Calibration(Record):
    """Whether a network is as often right as it says, clean and under an attack."""

    images: int
    attack: str
    eps: float
    norm: str
    clean: Reliability
    attacked: Reliability


@dataclass(frozen=True)
class Spread(Record):
    """A quantity over images; quantiles by their percent."""

    images: int
    mean: float
    quantiles: dict[str, float]
    steps: int | None = None  # of Lanczos, where it is an eigenvalue
    largest_error: float | None = None  # of an eigenvalue


@dataclass(frozen=True)
class ClassAccuracy(Record):
    """The accuracies on the images of one class, by metric."""

    label: int = field(metadata=key("class"))
    n: int
    accuracy: dict[str, float]


@dataclass(frozen=True)
class Landscape(Record):
    """Mean loss (nats) and accuracy over a plane around the images, and the loss around single ones: rows of rows.

    None in the loss where no image has finite logits. `axis` are the coordinates in both directions.
    """

    images: int
    eps: float
    norm: str
    axis: list[float]
    loss: list[list[float | None]]
    accuracy: list[list[float]]
    examples: list[list[list[float | None]]]
    non_finite: Count = NOT_COUNTED  # images with other logits somewhere


@dataclass(frozen=True)
class Measures(Record):
    """What was measured besides accuracies; JSON has it in the `order` asked for."""

    calibration: Calibration | None = None
    hessian: Spread | None = None  # largest eigenvalue, nats per squared unit
    jacobian: Spread | None = None  # Frobenius norm
    classes: list[ClassAccuracy] | None = None
    landscape: Landscape | None = None

    order: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Measures:
        """Of the measures by name, in their order."""
        return cls(**found, order=list(found))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measures:
        return super().from_json({**value, "order": list(value)})

    def to_json(self) -> Json:
        found = super().to_json()
        return {name: found[name] for name in found.pop("order")}
