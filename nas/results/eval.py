"""The result of `nas eval`, and of each network in `nas run`: accuracies, clean and under attack."""

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
UNKNOWN = "unknown"  # the training method of a network that no run of this project trained
PYTHON = "python:"  # the source of a network that was given as a Python object begins with this
OUTPUT_CHECKS = ("randomised-outputs", "logits", "zero-gradients", "depends-on-batch")  # made in every evaluation


@dataclass(frozen=True)
class AttackResult(Record):
    """The accuracy under an attack: the share of images that are classified correctly before and after it.

    `hrs` is the harmonic robustness score of this and the clean accuracy.
    """

    accuracy: float
    interval: Interval
    hrs: float


@dataclass(frozen=True, eq=False)
class WorstCase(Record):
    """The accuracy under all attacks together: an image counts if it stays correct under every one."""

    attacks: list[str]
    accuracy: float
    interval: Interval
    hrs: float
    correct: Correct


@dataclass(frozen=True, eq=False)
class Curve(Record):
    """The accuracy under an attack by its radius; the first point is the clean accuracy, at 0."""

    attack: str
    eps: list[float]
    accuracy: list[float]
    correct: list[Correct]


@dataclass(frozen=True)
class UsedNormalisation(Record):
    """How images were normalised for a foreign network, and by whose constants; `by` is `none` if they were not."""

    by: str
    mean: list[float] | None
    std: list[float] | None


@dataclass(frozen=True)
class ImageFormat(Record):
    """How images were passed to a network: their memory order, and their type if it needs a certain one."""

    order: str
    type: str | None


@dataclass(frozen=True)
class Check(Record):
    """A check of whether accuracies can be trusted: `ok` is pass, warn or skipped; `reason` says why, in numbers."""

    name: str
    ok: str
    reason: str


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalResult(Result):
    """The result of `nas eval`, and of each network of `nas run`: accuracies on test images, clean and under attack.

    In a cascade, each attack gets only the images that the ones before it left correct. Then `attacks` has the first
    attack only, and `cascade` has the accuracy under each attack together with all before it.

    >>> float(report.correct["fgsm"].mean()) == report.attacks["fgsm"].accuracy
    True
    """

    command = "eval"

    name: str = ""
    arch: str = field(default="", metadata=key("architecture"))
    params: int = NOT_COUNTED  # number of weights
    training: str = ""
    normalised: UsedNormalisation | None = None  # of a foreign network
    norm: str
    eps: float
    n_test: int
    fingerprint: str  # of the test images
    clean: float
    clean_interval: Interval
    attacks: dict[str, AttackResult]
    correct: dict[str, Correct]  # by metric: `clean`, and each attack
    worst_case: WorstCase
    cascade: dict[str, float] | None
    outside: dict[str, int]  # by unbounded attack: images for which it found only perturbations beyond eps
    sweep: list[Curve]
    non_finite: dict[str, Count] = field(default_factory=dict)  # by metric: images with non-finite logits
    remarks: list[str] = field(default_factory=list)  # reasons why the numbers mean less than they seem to
    image_format: ImageFormat | None = field(default=None, metadata=key("fed"))  # if it is not the usual one
    providers: dict[str, str] = field(default_factory=dict)  # by attack that several libraries have: the one used
    measures: Measures = field(default_factory=Measures)
    corruptions: CorruptionResult | None = None
    checks: list[Check] = field(default_factory=list)
    checkpoint: str | None = None  # relative to the run's folder
    source: str | None = None  # of a foreign network

    @property
    def attacked_further(self) -> bool:
        """Whether checks were made besides those of every evaluation.

        >>> report.attacked_further
        False
        """
        return any(check.name not in OUTPUT_CHECKS for check in self.checks)

    @property
    def warning_checks(self) -> list[str]:
        """The names of the checks that give a reason to doubt the accuracies under attack.

        >>> report.warning_checks
        []
        """
        return [check.name for check in self.checks if check.ok == "warn"]

    @property
    def worst_of_several(self) -> WorstCase | None:
        """The worst case of several attacks; None for a single attack, which is its own worst case.

        >>> report.worst_of_several.attacks
        ['fgsm', 'pgd3']
        """
        return self.worst_case if len(self.worst_case.attacks) > 1 else None

    def outcomes(self) -> dict[str, Correct]:
        """`correct`, together with the worst case if it is of several attacks.

        >>> list(report.outcomes())
        ['clean', 'fgsm', 'pgd3', 'worst_case']
        """
        worst = self.worst_of_several
        return self.correct if worst is None else {**self.correct, WORST_CASE: worst.correct}

    def accuracy(self, metric: str) -> tuple[float, Interval]:
        """The accuracy of a metric (clean, an attack, or the worst case) and its interval.

        Raises KeyError if the metric is an attack that was not made.

        >>> accuracy, (low, high) = report.accuracy("fgsm")
        >>> low <= accuracy <= high
        True
        """
        if metric == CLEAN:
            return self.clean, self.clean_interval
        attacked = self.worst_case if metric == WORST_CASE else self.attacks[metric]
        return attacked.accuracy, attacked.interval

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EvalResult:
        """In JSON, the accuracies, scores and intervals of all attacks are three dictionaries."""
        values = dict(value)
        intervals, scores = values.pop("intervals"), values.pop("hrs")
        values["clean_interval"] = intervals[CLEAN]
        values["attacks"] = {
            name: {"accuracy": accuracy, "interval": intervals[name], "hrs": scores[name]}
            for name, accuracy in values["attacks"].items()
        }
        return super().from_json(values)

    def to_json(self) -> Json:
        plain = super().to_json()
        attacks, clean = plain["attacks"], plain.pop("clean_interval")
        accuracies = {
            "attacks": {name: one["accuracy"] for name, one in attacks.items()},
            "hrs": {name: one["hrs"] for name, one in attacks.items()},
            "intervals": {CLEAN: clean, **{name: one["interval"] for name, one in attacks.items()}},
        }
        written: Json = {}
        for name, value in plain.items():
            if name == "corruptions" and self.attacked_further:  # further checks stand before corruptions
                written["checks"] = plain["checks"]
            written |= accuracies if name == "attacks" else {name: value}
        return written
