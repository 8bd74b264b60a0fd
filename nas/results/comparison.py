"""The comparison of evaluated networks, as `nas report A B` makes it: paired differences of their accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.core.io.records import Json, Record
from nas.results.eval import EvalResult
from nas.results.run import Difference


@dataclass(frozen=True, kw_only=True)
class ComparedDifference(Difference):
    """The paired difference of two networks on one accuracy.

    `corrected` is the p-value after correction for all differences of the comparison: every pair of networks, on every
    accuracy on which it can be paired. The interval is 95 % and not corrected. `text` says all of it in words; it is
    not in the JSON, and empty where a comparison was read from it.
    """

    n: int  # images
    bootstrap: float  # the p-value of resamples of the images

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ComparedDifference:
        """In JSON `p` is that of the bootstrap, and `exact` that of McNemar's test."""
        values = {**value, "bootstrap": value["p"], "p": value["exact"], "text": ""}
        del values["exact"]
        read: Any = super().from_json(values)
        difference: ComparedDifference = read
        return difference

    def to_json(self) -> Json:
        return {
            "first": self.first,
            "second": self.second,
            "metric": self.metric,
            "n": self.n,
            "difference": self.difference,
            "interval": list(self.interval),
            "p": self.bootstrap,
            "exact": self.p,
            "corrected": self.corrected,
            "shown": self.significant,
        }


@dataclass(frozen=True, eq=False)
class ComparedNetwork(Record):
    """One evaluated network of a comparison. In JSON, the keys of its evaluation stand beside its own keys."""

    label: str  # unique in the comparison
    run: str | None  # the folder of its run; None if it was not kept
    data: str
    entry: EvalResult

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ComparedNetwork:
        rest = dict(value)
        own = {name: rest.pop(name) for name in ("label", "run", "data")}
        return cls(**own, entry=EvalResult.from_json(rest))

    def to_json(self) -> Json:
        return {"label": self.label, "run": self.run, "data": self.data, **self.entry.to_json()}


@dataclass(frozen=True, eq=False)
class Comparison(Record):
    """Evaluated networks and the paired differences of every two of them, with p-values that are corrected together.

    A difference is paired image by image (McNemar's exact test, Holm's correction for all differences), so only
    accuracies on the same images and under the same attacks are compared; `notes` say which networks cannot be, and
    for which networks a check warns that their accuracies under attack are upper bounds.

    >>> compared.differences[0].metric, compared.differences[0].n, compared.notes
    ('clean', 16, [])
    """

    checkpoints: Sequence[ComparedNetwork]
    differences: list[ComparedDifference]
    notes: list[str]  # which networks cannot be compared, and of which the accuracies are in doubt, and why

    @property
    def doubted(self) -> list[str]:
        """The labels of the networks of which a check warns.

        >>> compared.doubted
        []
        """
        return [one.label for one in self.checkpoints if one.entry.warning_checks]
