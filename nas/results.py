"""What each command gives back: frozen dataclasses whose `to_json` is the content of `result.json`.

Attributes are called alike everywhere: an architecture is a string `arch`, the best of several is `best` and the list
`top`, an attack's numbers are `attacks[name].accuracy`, `.interval` and `.hrs`, and `correct[name]` says image by image
which were classified correctly. Accuracies and scores are fractions, intervals are 95 % and uncorrected.

Results of versions from 0.1.0 on are read: what only later ones have has a default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.core.goal import Goal
from nas.core.io.records import LAST, Json, Record, flat, key
from nas.core.statistics.repetitions import TTest

CLEAN, WORST_CASE = "clean", "worst_case"  # metrics besides the names of attacks
OUTPUT_CHECKS = ("randomised-outputs", "logits", "zero-gradients", "depends-on-batch")  # of every evaluation
NOT_COUNTED = -1  # in the place of a count: the version that measured did not count
Count = int | None  # None: not known, because an earlier version finished a part
Correct = NDArray[np.bool_]  # image by image, whether it is classified correctly


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Environment(Record):
    """What a process computes with."""

    versions: dict[str, str]
    hardware: dict[str, str | float | None]  # what the machine tells of itself
    source: Revision | None


@dataclass(frozen=True)
class Revision(Record):
    """The commit of a checkout, and whether its files differ from it."""

    commit: str
    changed: bool


@dataclass(frozen=True)
class Provenance(Record):
    """What the numbers of a result depend on, besides the versions of packages."""

    seed: int
    settings_sha256: str
    deterministic: bool
    data_sha256: dict[str, str] | None  # by part; None where no data were read
    hardware: dict[str, str | float | None]  # what the machine tells of itself
    source: Revision | None
    earlier: list[Environment]  # of other sessions of the run, where they differ


@dataclass(frozen=True, eq=False)
class Result(Record):
    """A result of a command; the run that writes it adds what it depends on."""

    command: ClassVar[str] = ""  # whose results these are

    seconds: dict[str, float] = field(default_factory=dict, kw_only=True, metadata=LAST)  # by stage, and in total
    versions: dict[str, str] = field(default_factory=dict, kw_only=True, metadata=LAST)
    provenance: Provenance | None = field(default=None, kw_only=True, metadata=LAST)


# Searches


@dataclass(frozen=True)
class Standing(Record):
    """Where an architecture stands in a column of a published table; None where the table has no value."""

    value: float | None
    percentile: float | None  # of all classes the percent that are worse, equals counted half


@dataclass(frozen=True)
class FoundArchitecture(Record):
    """An architecture that a search found, the representative of its class in `canonical`."""

    arch: str
    canonical: str
    metrics: Mapping[str, float | None]  # None: not measured on these data
    standing: dict[str, Standing] | None = None  # by column, where there are tables


@dataclass(frozen=True, kw_only=True)
class SupernetEpoch(Record):
    """An epoch of a supernet's training; of a dictionary, the names are the keys in JSON."""

    epoch: int
    warm_up: bool  # in which α does not learn
    weight: dict[str, float] = field(metadata=flat("weight_"))  # loss, its terms and accuracy of the weights' steps
    alpha: dict[str, float] = field(metadata=flat("alpha_"))  # the same of the steps of α
    arch: str = field(metadata=key("architecture"))  # that would be derived now
    entropy: dict[str, float] = field(metadata=flat("entropy_"))  # of α, by cell
    skips: dict[str, int] = field(metadata=flat("skips_"))  # skip connections, by cell
    warning: str | None  # a sign of collapse, in words
    validation: Epoch = field(metadata=flat("val_"))  # accuracies; None where no image is withheld
    eigenvalue: float | None = None  # the dominant one of the Hessian of α, where it is looked at
    lr: float
    seconds: float


@dataclass(frozen=True)
class SupernetTraining(Record):
    """How a supernet was trained, and which epoch the architecture is of."""

    chosen_epoch: int
    stopped: str | None  # why before the last epoch
    epochs: list[SupernetEpoch]
    memory_mb: int  # the peak


@dataclass(frozen=True)
class SearchResult(Result):
    """Of `nas search`: the best architectures, of several goals the Pareto front."""

    command = "search"

    objective: str
    goals: list[Goal]
    top: list[FoundArchitecture] = field(metadata=key("best"))
    evaluated: int  # classes of isomorphic cells, or epochs of a supernet
    failed: int  # of these, without a value
    exhausted: bool  # whether no further class was found within the limits
    supernet: SupernetTraining | None = field(default=None, metadata=flat())

    @property
    def best(self) -> FoundArchitecture:
        return self.top[0]


# Trainings

Epoch = dict[str, float | None]  # number, losses and accuracies; None for what cannot be measured on these data


@dataclass(frozen=True)
class TrainedModel(Record):
    """A network that a run trained, as its store holds it."""

    checkpoint: str  # of the chosen epoch, in the run's folder
    final_checkpoint: str
    arch: str
    epochs: int
    chosen_epoch: int
    history: list[Epoch]
    seconds: float

    def validation(self, epoch: int) -> Epoch:
        """The accuracies on the validation part after an epoch, by name."""
        return {name: value for name, value in self.history[epoch - 1].items() if name.startswith("val_")}

    def curve(self, name: str) -> dict[int, float]:
        """A quantity of the history, by the epochs in which it was measured."""
        values = {number: row.get(name) for number, row in enumerate(self.history, start=1)}
        return {number: value for number, value in values.items() if value is not None}


@dataclass(frozen=True)
class Checkpoint(Record):
    """The weights after an epoch, and their validation accuracies by name."""

    checkpoint: str
    validation: Epoch = field(metadata=flat("val_"))


@dataclass(frozen=True)
class TrainResult(Result):
    """Of `nas train`: the chosen epoch's weights, and those of the last."""

    command = "train"

    checkpoint: str
    arch: str
    training: str
    validation: Epoch = field(metadata=flat("val_"))  # accuracies of the chosen epoch
    epochs: int
    chosen_epoch: int
    final: Checkpoint
    seconds: float = field(kw_only=True, metadata=LAST)  # type: ignore[assignment]


# Evaluations


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


# Runs


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """The paired difference of two networks on one accuracy, and the verdict of McNemar's exact test on it."""

    first: str
    second: str
    metric: str
    difference: float
    interval: Interval
    p: float | None = None  # None where the outcomes of the images are missing, and before `judged`
    corrected: float | None = None  # p after Holm's correction for all differences
    shown: bool  # whether `corrected` is significant
    text: str
    judged: bool = False  # whether the test was made or tried; versions 0.1 did neither, and have no `p`

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Difference:
        return super().from_json({**value, "judged": "corrected" in value})

    def to_json(self) -> Json:
        """A judged row has `p` and `corrected` in JSON, null where they are unknown."""
        found = super().to_json()
        return found | {"p": self.p, "corrected": self.corrected} if found.pop("judged", False) else found


@dataclass(frozen=True)
class RunResult(Result):
    """Of `nas run`: what was searched, trained and attacked."""

    command = "run"

    arch: str = field(metadata=key("architecture"))
    random_arch: str | None = field(metadata=key("random_architecture"))
    space: str
    data: str
    seeds: dict[str, int]  # of the run, and of each training
    search: SearchResult
    models: list[EvalResult]
    differences: list[Difference]


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


# Transfer


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


# Discrete proxy search


@dataclass(frozen=True)
class Agreement(Record):
    """How well Eproxy ranks labelled architectures, as configured (`plain`) and with the setting that was found."""

    count: int
    spearman: float
    spearman_plain: float


@dataclass(frozen=True)
class Ranking(Record):
    """Spearman's rho with the labels, the share of the best tenth that is found, architectures without a value."""

    spearman: float
    top10: float
    failed: int


@dataclass(frozen=True)
class RhoDifference(Record):
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class HeldOut(Record):
    """Both on architectures that the search did not see."""

    count: int
    plain: Ranking
    dps: Ranking
    difference: RhoDifference | None  # of the rhos, with its paired 95 % interval


@dataclass(frozen=True)
class DpsResult(Result):
    """Of `nas dps`: the setting of Eproxy that was found, in the text of its space, and as its options."""

    command = "dps"

    setting: str
    options: Json
    labels: Agreement
    evaluated: int  # settings
    held_out: HeldOut | None
    file: str  # of the options


# Scores


@dataclass(frozen=True)
class ScoreRow(Record):
    """An architecture's value under each proxy that gave one, and why the others did not."""

    arch: str
    canonical: str
    scores: dict[str, float]
    seconds: float
    reason: str | None = None


# Exports


@dataclass(frozen=True)
class ExportResult(Record):
    """Of `nas export`: the network that was written, and the files of its folder."""

    folder: str
    name: str
    arch: str
    params: int  # weights
    evaluations: int  # finished ones, whose numbers are in the folder
    files: list[str]


def result_type(command: str) -> type[Result]:
    """The type of a command's results, one that a package brings too; of an unknown command that without any key."""
    return next((kind for kind in Result.__subclasses__() if kind.command == command), Result)
