"""What `nas transfer` gives back: which network errs on the adversarial examples of which."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, key
from nas.results.base import Correct, Count, Interval, Result
from nas.results.eval import Check, Normalised


@dataclass(frozen=True)
class TransferNetwork(Record):
    name: str
    arch: str = field(metadata=key("architecture"))
    params: int
    training: str
    normalised: Normalised | None = None  # images of a network from elsewhere
    checkpoint: str = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class CleanAccuracies(Record):
    """By network."""

    accuracy: dict[str, float]
    intervals: dict[str, Interval]
    correct: dict[str, Correct]
    non_finite: dict[str, Count] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TransferMatrix(Record):
    """Of one attack: a row for each network that was attacked, a column for each that was shown the images."""

    accuracy: list[list[float]]
    intervals: list[list[Interval]]
    correct: list[list[Correct]]
    non_finite: list[list[Count]] = field(default_factory=list)


@dataclass(frozen=True)
class TransferResult(Result):
    """Of `nas transfer`."""

    command = "transfer"

    norm: str
    eps: float
    n_test: int
    data: str
    images: str  # their fingerprint
    networks: list[TransferNetwork]
    clean: CleanAccuracies
    attacks: dict[str, TransferMatrix] = field(metadata=key("transfer"))
    checks: list[Check]  # one of each attack
