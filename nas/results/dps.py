"""The result of `nas dps`: a setting of Eproxy, and how well it ranks architectures."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Json, Record
from nas.results.base import Result


@dataclass(frozen=True)
class Agreement(Record):
    """Spearman's rho of Eproxy with the labels: with the setting that was found, and as configured (`plain`)."""

    count: int
    spearman: float
    spearman_plain: float


@dataclass(frozen=True)
class Ranking(Record):
    """Spearman's rho with the labels, the found share of the best tenth, and how many architectures have no value."""

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
    """Both settings on labelled architectures that the search did not use."""

    count: int
    plain: Ranking
    dps: Ranking
    difference: RhoDifference | None  # of the two rhos, with its paired 95 % interval


@dataclass(frozen=True)
class DpsResult(Result):
    """The result of `nas dps`: the setting of Eproxy that was found, as text and as options.

    >>> setting.labels.spearman, setting.options["lr"]
    (0.75, 1.0)
    """

    command = "dps"

    setting: str
    options: Json
    labels: Agreement
    evaluated: int  # number of settings
    held_out: HeldOut | None
    file: str  # with the options
