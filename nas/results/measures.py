"""Measures of an evaluation besides its accuracies: calibration, curvature, single classes, the loss landscape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.io.records import Json, Record, key
from nas.results.base import NOT_COUNTED, Count


@dataclass(frozen=True)
class Bin(Record):
    """The images whose confidence lies in one bin: their number, mean confidence and accuracy."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability(Record):
    """The expected calibration error and its bins. Error and confidence are None if no image has finite logits."""

    ece: float | None
    accuracy: float
    confidence: float | None
    bins: list[Bin]
    non_finite: int = NOT_COUNTED  # images without finite logits, which count as wrong


@dataclass(frozen=True)
class Calibration(Record):
    """Whether the confidence of a network agrees with its accuracy, clean and under an attack."""

    images: int
    attack: str
    eps: float
    norm: str
    clean: Reliability
    attacked: Reliability


@dataclass(frozen=True)
class Spread(Record):
    """The distribution of a quantity over images; quantiles by their percent."""

    images: int
    mean: float
    quantiles: dict[str, float]
    steps: int | None = None  # of the Lanczos iteration, if the quantity is an eigenvalue
    largest_error: float | None = None  # of the eigenvalue


@dataclass(frozen=True)
class ClassAccuracy(Record):
    """The accuracies on the images of one class, by metric."""

    label: int = field(metadata=key("class"))
    n: int
    accuracy: dict[str, float]


@dataclass(frozen=True)
class Landscape(Record):
    """Mean loss (nats) and accuracy on a grid in a plane around each image, and the loss around single images.

    The grids are lists of rows; `axis` has the coordinates in both directions. A loss is None where no image has finite
    logits.
    """

    images: int
    eps: float
    norm: str
    axis: list[float]
    loss: list[list[float | None]]
    accuracy: list[list[float]]
    examples: list[list[list[float | None]]]
    non_finite: Count = NOT_COUNTED  # images whose logits are not finite at some point


@dataclass(frozen=True)
class Measures(Record):
    """Everything that was measured besides accuracies. In JSON, they have the `order` in which the user named them."""

    calibration: Calibration | None = None
    hessian: Spread | None = None  # largest eigenvalue, nats per squared unit
    jacobian: Spread | None = None  # Frobenius norm
    classes: list[ClassAccuracy] | None = None
    landscape: Landscape | None = None

    order: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, by_name: Mapping[str, Any]) -> Measures:
        """The measures of a dictionary, in its order."""
        return cls(**by_name, order=list(by_name))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Measures:
        return super().from_json({**value, "order": list(value)})

    def to_json(self) -> Json:
        written = super().to_json()
        return {name: written[name] for name in written.pop("order")}
