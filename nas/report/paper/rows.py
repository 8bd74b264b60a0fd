"""The CSV of a paper: a row for each model and metric, with numbers as they are in the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nas.core.io.files import csv_text
from nas.core.statistics.paired import wilson
from nas.report.paper.material import Material, Paper
from nas.results import (
    CLEAN,
    WORST_CASE,
    AttackResult,
    DpsResult,
    EvalResult,
    SearchResult,
    StudyResult,
    TrainResult,
    TransferResult,
    WorstCase,
)
from nas.runs.repetitions import CORRUPTIONS, SCORE

COLUMNS = (
    *("run", "model", "arch", "training", "metric", "value", "unit", "n", "n_of", "low", "high", "sd", "seed"),
    *("data", "norm", "eps", "checkpoint", "checkpoint_sha256", "warning_checks"),
)
FRACTION = "fraction"
UNITS = {"params": "weights", "flops": "multiply-adds", "latency": "ms"}
Row = dict[str, Any]


def csv_of(paper: Paper) -> str:
    """All numbers of the runs as CSV, with the header `COLUMNS`.

    `value`, the 95 % interval `low` to `high` and the standard deviation `sd` are not rounded, and fractions are not
    in percent; what a number does not have is empty. `n` counts the images or the seeds behind a number, as `n_of`
    says; `warning_checks` are the checks of a network that give a reason to doubt its numbers under attack. Numbers
    have a decimal point and cells are separated by commas, whatever the language of the system.
    """
    rows = [row for material in paper.materials for row in _rows(material)]
    return csv_text([COLUMNS, *([row.get(column) for column in COLUMNS] for row in rows)])


def _rows(material: Material) -> Iterator[Row]:
    run, result = material.run, material.run.result
    about: Row = {"run": material.name, "seed": run.settings.get("seed"), "data": run.data}
    if run.search is not None:
        yield from ({**about, **row} for row in _search(run.search))
    if isinstance(result, TrainResult):
        yield from ({**about, **row} for row in _training(material, result))
    for entry in run.evaluations:
        model: Row = {
            "model": entry.name,
            "arch": entry.arch,
            "training": entry.training,
            "norm": entry.norm,
            "eps": entry.eps,
            "checkpoint": entry.checkpoint or entry.source,
            "checkpoint_sha256": material.sha256(entry.checkpoint),
            "warning_checks": " ".join(entry.warning_checks) or None,
        }
        yield from ({**about, **model, **row} for row in _evaluation(entry))
    if isinstance(result, StudyResult):
        yield from ({**about, **row} for row in _study(result))
    if isinstance(result, TransferResult):
        yield from ({**about, **row} for row in _transfer(material, result))
    if isinstance(result, DpsResult):
        yield from ({**about, **row} for row in _dps(result))


def _value(metric: str, value: float | None, unit: str, n: int | None = None, n_of: str = "images") -> Row:
    return {"metric": metric, "value": value, "unit": unit, "n": n, "n_of": None if n is None else n_of}


def _fraction(metric: str, value: float | None, n: int, interval: Any = (None, None)) -> Row:
    return {**_value(metric, value, FRACTION, n), "low": interval[0], "high": interval[1]}


def _search(result: SearchResult) -> Iterator[Row]:
    for number, one in enumerate(result.top, start=1):
        for metric, value in one.metrics.items():
            yield {"model": f"found {number}", "arch": one.arch, **_value(metric, value, UNITS.get(metric, ""))}


def _training(material: Material, result: TrainResult) -> Iterator[Row]:
    both = ((result.checkpoint, result.validation), (result.final.checkpoint, result.final.validation))
    for name, (checkpoint, validation) in zip(("chosen epoch", "last epoch"), both):
        model: Row = {
            "model": name,
            "arch": result.arch,
            "training": result.training,
            "checkpoint": checkpoint,
            "checkpoint_sha256": material.sha256(checkpoint),
        }
        yield from ({**model, **_value(metric, value, FRACTION)} for metric, value in validation.items())


def _evaluation(entry: EvalResult) -> Iterator[Row]:
    yield {**_value("params", entry.params, UNITS["params"]), "norm": None, "eps": None}
    yield {**_fraction(CLEAN, entry.clean, entry.n_test, entry.clean_interval), "norm": None, "eps": None}
    robust: dict[str, AttackResult | WorstCase] = dict(entry.attacks)
    if entry.worst_of_several:
        robust[WORST_CASE] = entry.worst_of_several
    for name, attacked in robust.items():
        yield _fraction(name, attacked.accuracy, entry.n_test, attacked.interval)
        yield _fraction(SCORE + name, attacked.hrs, entry.n_test)
    for name, accuracy in (entry.cascade or {}).items():
        yield _fraction(f"cascade:{name}", accuracy, entry.n_test)
    for curve in entry.sweep:
        for eps, accuracy in zip(curve.eps, curve.accuracy):
            if eps > 0 and not (eps == entry.eps and curve.attack in entry.attacks):
                interval = wilson(round(accuracy * entry.n_test), entry.n_test)
                yield {**_fraction(curve.attack, accuracy, entry.n_test, interval), "eps": eps}
    yield from ({**row, "norm": None, "eps": None} for row in _corruptions(entry))
    yield from _measures(entry)


def _corruptions(entry: EvalResult) -> Iterator[Row]:
    result = entry.corruptions
    if result is None:
        return
    yield _fraction(CORRUPTIONS, result.mean, result.n_test, result.interval)
    yield _fraction(SCORE + CORRUPTIONS, result.hrs, result.n_test)
    for kind, accuracies in result.accuracy.items():
        yield _fraction(f"corruption:{kind}", result.types[kind], result.n_test)
        for severity, accuracy in zip(result.severities, accuracies):
            yield _fraction(f"corruption:{kind}@{severity}", accuracy, result.n_test)
    if result.relative is not None:
        yield _value("mce", result.relative.mce, "percent")
        yield _value("relative_mce", result.relative.relative_mce, "percent")


def _measures(entry: EvalResult) -> Iterator[Row]:
    measures = entry.measures
    if one := measures.calibration:
        yield {**_fraction(f"ece:{CLEAN}", one.clean.ece, one.images), "norm": None, "eps": None}
        yield {**_fraction(f"ece:{one.attack}", one.attacked.ece, one.images), "norm": one.norm, "eps": one.eps}
    spreads = (("hessian", measures.hessian, "nats per squared unit"), ("jacobian", measures.jacobian, ""))
    for name, spread, unit in spreads:
        if spread is not None:
            yield {**_value(name, spread.mean, unit, spread.images), "norm": None, "eps": None}
    for row in measures.classes or []:
        for metric, accuracy in row.accuracy.items():
            ball = {"norm": None, "eps": None} if metric == CLEAN else {}
            yield {**_fraction(f"{metric}:class {row.label}", accuracy, row.n), **ball}


def _study(result: StudyResult) -> Iterator[Row]:
    """The numbers of each seed, and below them the mean over the seeds."""
    for model in result.models:
        about: Row = {"model": model.name, "training": model.training, "norm": result.norm, "eps": result.eps}
        for metric, one in model.metrics.items():
            for seed, arch, value in zip(result.seeds, model.archs, one.values):
                yield {**about, "arch": arch, "seed": seed, **_fraction(metric, value, result.n_test)}
            mean = _value(metric, one.mean, FRACTION, len(result.seeds), "seeds")
            yield {**about, "seed": None, **mean, "sd": one.sd}


def _transfer(material: Material, result: TransferResult) -> Iterator[Row]:
    for column, network in enumerate(result.networks):
        model: Row = {
            "model": network.name,
            "arch": network.arch,
            "training": network.training,
            "checkpoint": network.checkpoint,
            "checkpoint_sha256": material.sha256(network.checkpoint),
        }
        clean = result.clean
        interval = clean.intervals[network.name]
        yield {**model, **_fraction(CLEAN, clean.accuracy[network.name], result.n_test, interval)}
        for attack, matrix in result.attacks.items():
            for attacked, accuracies, intervals in zip(result.networks, matrix.accuracy, matrix.intervals):
                row = _fraction(f"{attack} of {attacked.name}", accuracies[column], result.n_test, intervals[column])
                yield {**model, **row, "norm": result.norm, "eps": result.eps}


def _dps(result: DpsResult) -> Iterator[Row]:
    labels = result.labels
    for name, rho in (("as configured", labels.spearman_plain), ("found", labels.spearman)):
        yield {"model": name, **_value("spearman", rho, "", labels.count, "architectures")}
    if result.held_out is not None:
        for name, one in (("as configured", result.held_out.plain), ("found", result.held_out.dps)):
            for metric, value in (("spearman", one.spearman), ("top10", one.top10)):
                yield {"model": name, **_value(f"held-out {metric}", value, "", result.held_out.count, "architectures")}
