"""What `nas eval` gives back, and what `nas run` gives back of each network: accuracies, clean and under attack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.core.io.records import Json, Record, key
from nas.results.base import NOT_COUNTED, Correct, Count, Interval, Result
from nas.results.corruptions import CorruptionResult
from nas.results.measures import Measures

CLEAN = "clean"  # a metric besides the names of attacks
WORST_CASE = "worst_case"  # likewise: an image counts if it stays correct under every attack
OUTPUT_CHECKS = ("randomised-outputs", "logits", "zero-gradients", "depends-on-batch")  # of every evaluation


@dataclass(frozen=True)
class AttackResult(Record):
    """The share of images that are classified correctly before and after an attack, and its HRS with the clean one."""

    accuracy: float
    interval: Interval
    hrs: float


@dataclass(frozen=True, eq=False)
class WorstCase(Record):
    """The images that stand every one of the attacks."""

    attacks: list[str]
    accuracy: float
    interval: Interval
    hrs: float
    correct: Correct


@dataclass(frozen=True, eq=False)
class Curve(Record):
    """Accuracy under an attack against its radius; the first point is the clean accuracy at 0."""

    attack: str
    eps: list[float]
    accuracy: list[float]
    correct: list[Correct]


@dataclass(frozen=True)
class Normalised(Record):
    """How images were normalised before a network from elsewhere, and by whose constants; `none`: not at all."""

    by: str
    mean: list[float] | None
    std: list[float] | None


@dataclass(frozen=True)
class Fed(Record):
    """How a network took its images: the order of their memory, and their type where it needs one."""

    order: str
    type: str | None


@dataclass(frozen=True)
class Check(Record):
    """Whether a number can be believed: `ok` is pass, warn or skipped; `reason` has the numbers."""

    name: str
    ok: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalResult(Result):
    """Of `nas eval`, and of each network of `nas run`: accuracies on test images, clean and under attack.

    In a cascade each attack sees only what those before it left: `attacks` then has the first alone, and `cascade` what
    each leaves together with those before it.
    """

    command = "eval"

    name: str = ""
    arch: str = field(default="", metadata=key("architecture"))
    params: int = NOT_COUNTED  # weights
    training: str = ""
    normalised: Normalised | None = None  # images of a network from elsewhere
    norm: str
    eps: float
    n_test: int
    fingerprint: str  # of the images
    clean: float
    clean_interval: Interval
    attacks: dict[str, AttackResult]
    correct: dict[str, Correct]  # by metric: `clean`, and the attacks
    worst_case: WorstCase
    cascade: dict[str, float] | None
    outside: dict[str, int]  # by unbounded attack: images for which it found only perturbations beyond eps
    sweep: list[Curve]
    non_finite: dict[str, Count] = field(default_factory=dict)  # images, which count as wrong
    remarks: list[str] = field(default_factory=list)  # what makes the numbers mean less than they say
    fed: Fed | None = None  # where it is not as networks here take images
    providers: dict[str, str] = field(default_factory=dict)  # who made an attack, where two can
    measures: Measures = field(default_factory=Measures)
    corruptions: CorruptionResult | None = None
    checks: list[Check] = field(default_factory=list)
    checkpoint: str | None = None  # relative to the run's folder
    source: str | None = None  # of a network from elsewhere

    @property
    def attacked_further(self) -> bool:
        """Whether the checks are more than those of outputs and gradients, which every evaluation makes."""
        return any(check.name not in OUTPUT_CHECKS for check in self.checks)

    @property
    def worst_of_several(self) -> WorstCase | None:
        """The worst case where it is of several attacks; that of one is the attack itself."""
        return self.worst_case if len(self.worst_case.attacks) > 1 else None

    def outcomes(self) -> dict[str, Correct]:
        """`correct`, and with it the worst case where it is of several attacks."""
        worst = self.worst_of_several
        return self.correct if worst is None else {**self.correct, WORST_CASE: worst.correct}

    def accuracy(self, metric: str) -> tuple[float, Interval]:
        """The clean accuracy, or that under an attack or all of them, with its interval."""
        if metric == CLEAN:
            return self.clean, self.clean_interval
        found = self.worst_case if metric == WORST_CASE else self.attacks[metric]
        return found.accuracy, found.interval

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EvalResult:
        """In JSON accuracies, scores and intervals of the attacks are dictionaries beside each other."""
        left = dict(value)
        intervals, scores = left.pop("intervals"), left.pop("hrs")
        left["clean_interval"] = intervals[CLEAN]
        left["attacks"] = {
            name: {"accuracy": accuracy, "interval": intervals[name], "hrs": scores[name]}
            for name, accuracy in left["attacks"].items()
        }
        return super().from_json(left)

    def to_json(self) -> Json:
        plain = super().to_json()
        attacks, clean = plain["attacks"], plain.pop("clean_interval")
        accuracies = {
            "attacks": {name: one["accuracy"] for name, one in attacks.items()},
            "hrs": {name: one["hrs"] for name, one in attacks.items()},
            "intervals": {CLEAN: clean, **{name: one["interval"] for name, one in attacks.items()}},
        }
        found: Json = {}
        for name, value in plain.items():
            if name == "corruptions" and self.attacked_further:  # those checks are made before
                found["checks"] = plain["checks"]
            found |= accuracies if name == "attacks" else {name: value}
        return found
