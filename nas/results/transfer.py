"""The result of `nas transfer`: the accuracy of each network on the adversarial examples of every other."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.io.records import Record, key
from nas.results.base import Correct, Count, Interval, Result
from nas.results.eval import Check, UsedNormalisation


@dataclass(frozen=True)
class TransferNetwork(Record):
    name: str
    arch: str = field(metadata=key("architecture"))
    params: int
    training: str
    normalised: UsedNormalisation | None = None  # of a foreign network
    checkpoint: str = field(kw_only=True)


@dataclass(frozen=True, eq=False)
class CleanAccuracies(Record):
    """The clean accuracies, by network."""

    accuracy: dict[str, float]
    intervals: dict[str, Interval]
    correct: dict[str, Correct]
    non_finite: dict[str, Count] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TransferMatrix(Record):
    """Accuracies under one attack: a row for each attacked network, a column for each network that classifies."""

    accuracy: list[list[float]]
    intervals: list[list[Interval]]
    correct: list[list[Correct]]
    non_finite: list[list[Count]] = field(default_factory=list)


@dataclass(frozen=True)
class TransferResult(Result):
    """The result of `nas transfer`.

    >>> [network.name for network in transfer.networks], transfer.attacks["pgd20"].accuracy
    (['a', 'b'], [[0.5, 0.5], [0.5, 0.5]])
    """

    command = "transfer"

    norm: str
    eps: float
    n_test: int
    data: str
    images: str  # the fingerprint of the test images
    networks: list[TransferNetwork]
    clean: CleanAccuracies
    attacks: dict[str, TransferMatrix] = field(metadata=key("transfer"))
    checks: list[Check]  # one per attack
