"""How well accuracies were predicted, as results and as CSV."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nas.core.io.files import csv_text
from nas.core.io.records import Record, flat


@dataclass(frozen=True)
class Fit(Record):
    """R² and Kendall's tau by target, mean and standard deviation; None where they are not defined."""

    r2: dict[str, float | None]
    r2_sd: dict[str, float | None]
    kendall: dict[str, float | None]
    kendall_sd: dict[str, float | None]

    def spread(self, key: str, target: str) -> tuple[float | None, float | None]:
        """Mean and standard deviation of `r2` or `kendall`."""
        return getattr(self, key)[target], getattr(self, f"{key}_sd")[target]


@dataclass(frozen=True)
class TopFeature(Record):
    """The most important feature of a target: R² without it and with it alone."""

    top: str
    without: float | None
    without_sd: float | None
    importances_without: dict[str, float]
    alone: float | None
    alone_sd: float | None


@dataclass(frozen=True, kw_only=True)
class PredictionResult(Record):
    """How well each target was predicted; `dataset` and `features` are empty until the command names them."""

    dataset: str = ""
    features: str = ""
    n: int
    rows: int
    dropped: dict[str, int]
    model: str
    library: str | None = None  # which fitted the model, if the numbers depend on that
    splits: str
    feature_count: int
    targets: dict[str, list[str]]
    fit: Fit = field(metadata=flat())
    importances: dict[str, dict[str, float]]  # by target, the largest first
    curves: dict[str, Fit] | None = None  # by the number of labelled architectures
    study: dict[str, TopFeature] | None = None  # by target


def csv_rows(result: PredictionResult) -> str:
    """R² and tau by part (splits, curves, without, alone) and target, and importances by feature."""
    rows: list[list[Any]] = [
        ["part", "target", "labelled", "feature", "r2", "r2_sd", "kendall", "kendall_sd", "importance"]
    ]
    fits = {("splits", ""): result.fit, **{("curves", size): fit for size, fit in (result.curves or {}).items()}}
    for (part, size), fit in fits.items():
        for target in result.targets:
            rows.append([part, target, size, "", *fit.spread("r2", target), *fit.spread("kendall", target), ""])
    study = result.study or {}
    for target, entry in study.items():
        rows.append(["without", target, "", entry.top, entry.without, entry.without_sd, "", "", ""])
        rows.append(["alone", target, "", entry.top, entry.alone, entry.alone_sd, "", "", ""])
    importances = {
        "importance": result.importances,
        "importance without": {target: entry.importances_without for target, entry in study.items()},
    }
    for part, by_target in importances.items():
        for target, of_features in by_target.items():
            rows += [[part, target, "", name, "", "", "", "", value] for name, value in of_features.items()]
    return csv_text(rows)
