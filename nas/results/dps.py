"""What `nas dps` gives back: a setting of Eproxy, and how well it ranks."""

from __future__ import annotations

from dataclasses import dataclass

from nas.core.io.records import Json, Record
from nas.results.base import Result


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
