"""The result of `nas search`: the best architectures, and how a supernet was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nas.core.goal import Goal
from nas.core.io.records import Record, flat, key
from nas.results.base import Result
from nas.results.train import Epoch


@dataclass(frozen=True)
class PercentileRank(Record):
    """The value of an architecture in a column of a published table, and its rank; None where the table has no value.

    The rank is the percentage of all classes that are worse; those with the same value count half.
    """

    value: float | None
    percentile: float | None


@dataclass(frozen=True)
class FoundArchitecture(Record):
    """An architecture that a search found; `canonical` is the representative of its isomorphism class."""

    arch: str
    canonical: str
    metrics: Mapping[str, float | None]  # None: cannot be measured on these data
    percentile_ranks: dict[str, PercentileRank] | None = field(default=None, metadata=key("standing"))  # by column


@dataclass(frozen=True, kw_only=True)
class SupernetEpoch(Record):
    """An epoch of a supernet's training. In JSON, each entry of a dictionary is a key of the epoch: `skips_normal`."""

    epoch: int
    warm_up: bool  # whether α was not trained yet
    weight: dict[str, float] = field(metadata=flat("weight_"))  # loss, its terms and accuracy in steps of the weights
    alpha: dict[str, float] = field(metadata=flat("alpha_"))  # the same in steps of α
    arch: str = field(metadata=key("architecture"))  # the one that would be derived after this epoch
    entropy: dict[str, float] = field(metadata=flat("entropy_"))  # of α, by cell
    skips: dict[str, int] = field(metadata=flat("skips_"))  # number of skip connections, by cell
    warning: str | None  # a sign of collapse, in words
    validation: Epoch = field(metadata=flat("val_"))  # accuracies; None if no image is withheld
    eigenvalue: float | None = None  # the dominant one of the Hessian of α, if it is computed
    lr: float
    seconds: float


@dataclass(frozen=True)
class SupernetTraining(Record):
    """How a supernet was trained, and after which epoch the architecture was derived."""

    chosen_epoch: int
    stopped: str | None  # why it stopped before the last epoch
    epochs: list[SupernetEpoch]
    memory_mb: int  # peak memory


@dataclass(frozen=True)
class LimitRound(Record):
    """A search with limits after a round of `search.ask` evaluations."""

    evaluated: int  # so far
    feasible: int  # how many of these are within the limits
    best: float | None  # the best of these by the first goal; None if there is none


@dataclass(frozen=True)
class LimitedSearch(Record):
    """What a search asked within its limits, which are known only after an evaluation."""

    limits: list[str]
    joint: bool  # whether candidates were also ranked by the limited quantities
    feasible: float  # the share of all evaluated architectures
    rounds: list[LimitRound]


@dataclass(frozen=True)
class WarmStart(Record):
    """What a strategy knew before its first proposal; known classes are no evaluations."""

    source: str  # the run or the file
    classes: int
    best: FoundArchitecture | None  # the best of them within the limits


@dataclass(frozen=True)
class SearchResult(Result):
    """The result of `nas search`: the best architectures, or the Pareto front of several goals.

    >>> found.objective, found.evaluated, found.failed
    ('params:min', 20, 1)
    """

    command = "search"

    objective: str
    goals: list[Goal]
    top: list[FoundArchitecture] = field(metadata=key("best"))
    evaluated: int  # classes of isomorphic cells, or epochs of a supernet
    failed: int  # how many of these have no value
    exhausted: bool  # whether the search ended because it found no further class
    supernet: SupernetTraining | None = field(default=None, metadata=flat())
    library: str | None = None  # which fitted the strategy's model or the predictor, if the numbers depend on that
    limited: LimitedSearch | None = None  # if there are limits
    warm_start: WarmStart | None = None  # with search.warm_start

    @property
    def best(self) -> FoundArchitecture:
        """The best architecture, or the first of the Pareto front.

        >>> found.best.metrics == found.top[0].metrics
        True
        """
        return self.top[0]
