"""A run's result for scripts and for people."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nas.core.io.records import Json
from nas.eval.corruptions import SAME
from nas.report import study_page
from nas.report.wording import non_finite, picture_name, probability_of_few, remarks, taken
from nas.results import (
    CLEAN,
    OUTPUT_CHECKS,
    WORST_CASE,
    Check,
    DpsResult,
    Epoch,
    EvalResult,
    FoundArchitecture,
    Interval,
    Reliability,
    Result,
    RunResult,
    SearchResult,
    Standing,
    StudyResult,
    TrainResult,
    TransferResult,
)
from nas.runs.differences import corrected, correction


def presented(folder: Path, result: Result) -> Json:
    """What `--json` prints: `result.json` of a whole run; the documented part of it, with usable paths, otherwise."""
    if isinstance(result, SearchResult):
        return {**result.to_json(), "run": str(folder)}
    if isinstance(result, TrainResult):
        final = replace(result.final, checkpoint=str(folder / result.final.checkpoint))
        usable = replace(result, final=final, checkpoint=str(folder / result.checkpoint))
        return {**usable.to_json(), "run": str(folder)}
    if isinstance(result, DpsResult):
        return {**replace(result, file=str(folder / result.file)).to_json(), "run": str(folder)}
    return result.to_json()


def text_of(folder: Path, result: Result) -> str:
    """What a person reads."""
    return "\n".join(_TEXTS[type(result)](folder, result))


def _search(folder: Path, result: SearchResult) -> list[str]:
    lines = [f"{number}. {one.arch}  {_metrics(one)}" for number, one in enumerate(result.top, 1)]
    lines += _standing(result.best.standing or {})
    if result.supernet is not None:
        why = f", stopped early: {result.supernet.stopped}" if result.supernet.stopped else ""
        lines.append(f"architecture of epoch {result.supernet.chosen_epoch} of {result.evaluated}{why}")
        warning = result.supernet.epochs[-1].warning
        lines += [f"warning: {warning}"] if warning else []
    else:
        failed = f", {result.failed} of them without a value" if result.failed else ""
        note = " (no further class found within the limits)" if result.exhausted else ""
        lines.append(f"{result.evaluated} classes evaluated{failed}{note}")
        lines += [f"why: nas report {shlex.quote(str(folder))}"] if failed else []
    return [*lines, f"train the best: nas train {shlex.quote(str(folder))}"]


def _train(folder: Path, result: TrainResult) -> list[str]:
    attack = f"attack it: nas eval {shlex.quote(str(folder))}"
    if result.validation.get("val_accuracy") is None:
        return [
            f"no image was withheld for validation; the network of the last epoch, {result.epochs}: "
            f"{folder / result.checkpoint}",
            attack,
        ]
    return [
        f"validation accuracy {_validated(result.validation)} at epoch {result.chosen_epoch} of {result.epochs}: "
        f"{folder / result.checkpoint}",
        f"validation accuracy {_validated(result.final.validation)} at the last: {folder / result.final.checkpoint}",
        attack,
    ]


def _transfer(folder: Path, result: TransferResult) -> list[str]:
    takes = [f"{network.name}: {line}" for network in result.networks for line in taken(network)]
    return [*(_matrix(result, attack) for attack in result.attacks), *takes, *checked_lines(result.checks)]


def _eval(folder: Path, result: EvalResult) -> list[str]:
    return [
        table([result]),
        *taken(result),
        *non_finite(result),
        *remark_lines(result),
        *corruption_lines(result),
        *checked_lines(result.checks),
        *measured_lines(result, folder),
        _report(folder),
    ]


def _run(folder: Path, result: RunResult) -> list[str]:
    lines = [table(result.models), ""]
    for model in result.models:
        lines += [f"{model.name} {line}" for line in _said_of(model)]
    rows = corrected(result).differences
    for row in rows:
        if row.first.startswith("best") and row.second.startswith("random"):
            lines.append(f"{row.first} minus {row.second}, {row.metric}: {row.text}")
    lines += [correction(len(rows), "of the result")] if rows else []
    return [*lines, _report(folder)]


def _study(folder: Path, result: StudyResult) -> list[str]:
    metrics = list(result.models[0].metrics)
    seeds = len(result.seeds)
    lines = Table(title=f"{seeds} seeds, {result.n_test} test images, mean ± standard deviation in percent")
    lines.add_column("model", no_wrap=True)
    for metric in metrics:
        lines.add_column(study_page.metric_title(metric), justify="right")
    for model in result.models:
        lines.add_row(model.name, *(study_page.spread(model.metrics[metric]) for metric in metrics))
    texts = [_written(lines)]
    for row in result.tests:
        values = ", ".join(study_page.points(value) for value in row.values)
        texts.append(
            f"{row.first} minus {row.second}, {study_page.metric_title(row.metric)}: {values}; p "
            f"{probability_of_few(row.seeds.p)} (t), {probability_of_few(row.p_flip)} (sign flip)"
        )
    if result.tests:
        texts.append(
            f"(p-values are uncorrected; the sign-flip test cannot give less than {result.smallest_p_flip:.3g} with "
            f"{seeds} seeds)"
        )
    return [*texts, _report(folder)]


def _report(folder: Path) -> str:
    return f"report: {folder / 'report.html'}"


def _written(lines: Table) -> str:
    console = Console(width=160, color_system=None, markup=False, emoji=False, highlight=False)  # names as they are
    with console.capture() as capture:
        console.print(lines)
    return capture.get()


def remark_lines(entry: EvalResult) -> list[str]:
    """What makes the numbers mean less than they say."""
    return [f"note: {sentence}" for sentence in remarks(entry)]


def corruption_lines(entry: EvalResult) -> list[str]:
    """Accuracies under common corruptions: the mean, groups, and a line for each type."""
    found = entry.corruptions
    if found is None:
        return []
    low, high = found.interval
    groups = ", ".join(f"{group} {100 * accuracy:.1f}" for group, accuracy in found.groups.items())
    lines = [
        f"accuracy under {len(found.mean_of)} types of corruption: {100 * found.mean:.1f} % "
        f"[{100 * low:.1f}-{100 * high:.1f}] (clean {100 * found.clean:.1f}, HRS {100 * found.hrs:.1f}; {groups})"
    ]
    if found.relative is not None:
        for title, value in (("mCE", found.relative.mce), ("relative mCE", found.relative.relative_mce)):
            lines += [] if value is None else [f"{title}: {value:.1f} % of the baseline's error"]
    width = max(map(len, found.accuracy))
    severities = " ".join(f"{severity:>5}" for severity in found.severities)
    lines.append(f"  {'severity':<{width}} {severities}  mean")
    for kind, accuracies in found.accuracy.items():
        values = " ".join(f"{100 * accuracy:5.1f}" for accuracy in accuracies)
        lines.append(f"  {kind:<{width}} {values} {100 * found.types[kind]:5.1f}")
    lines += [f"  left out: {kind}. {reason}" for kind, reason in found.left_out.items()]
    lines.append(f"  {found.n_test} images per type and severity, {found.images}")
    if found.clean_images not in ("", SAME):
        lines.append(f"  the clean accuracy is of {found.clean_images}")
    return lines


def measured_lines(entry: EvalResult, folder: Path) -> list[str]:
    """What was measured of a network besides its accuracies, a line each."""
    found = entry.measures
    lines = []
    if calibration := found.calibration:
        lines.append(
            f"expected calibration error: {_error(calibration.clean)} clean, "
            f"{_error(calibration.attacked)} under {calibration.attack} ({calibration.images} images)"
        )
    spreads = (
        ("largest eigenvalue of the input Hessian", found.hessian),
        ("Frobenius norm of the Jacobian", found.jacobian),
    )
    for title, part in spreads:
        if part is not None:
            low, middle, high = (part.quantiles[key] for key in ("5", "50", "95"))
            lines.append(
                f"{title}: mean {part.mean:.3g}, median {middle:.3g}, 5 % to 95 % {low:.3g} to {high:.3g} "
                f"({part.images} images)"
            )
    if classes := found.classes:
        for metric in classes[0].accuracy:
            worst = min(classes, key=lambda row: row.accuracy[metric])
            lines.append(
                f"lowest accuracy of a class, {metric}: {100 * worst.accuracy[metric]:.1f} % "
                f"(class {worst.label}, {worst.n} images)"
            )
    if found.landscape is not None:
        lines.append(f"loss landscape: {folder / picture_name(entry.name)}")
    return lines


def _error(part: Reliability) -> str:
    return "unknown (no finite logits)" if part.ece is None else f"{100 * part.ece:.1f} %"


def _validated(epoch: Epoch) -> str:
    robust = epoch.get("val_robust_accuracy")
    return f"{epoch['val_accuracy']:.3f}" + ("" if robust is None else f", under attack {robust:.3f},")


def _standing(columns: dict[str, Standing]) -> list[str]:
    """Where the best stands in the given tables."""
    texts = [f"{name} {one.value:.4g} ({one.percentile:.1f})" for name, one in columns.items() if one.value is not None]
    if not texts:
        return []
    return [
        f"the first in the tables (and percent of all classes that are worse, equals counted half): {', '.join(texts)}"
    ]


def _dps(folder: Path, result: DpsResult) -> list[str]:
    labels, report = result.labels, result.held_out
    lines = [
        f"best of {result.evaluated} settings: {result.setting}",
        f"Spearman's rho with the {labels.count} labels: {labels.spearman:.3f} (plain Eproxy "
        f"{labels.spearman_plain:.3f})",
    ]
    if report is None:
        lines.append("no other labelled architectures to report on")
    else:
        lines.append(f"on {report.count} architectures it did not see:")
        for title, one in (("Eproxy", report.plain), ("Eproxy + DPS", report.dps)):
            failed = f", {one.failed} without a value" if one.failed else ""
            lines.append(f"  {title:<12}  rho {one.spearman:.3f}, top-10 % retrieval {one.top10:.0%}{failed}")
        if (gap := report.difference) is not None:
            lines.append(
                f"  difference of rho {gap.value:+.3f}, 95 % interval of this one comparison {gap.low:+.3f} to "
                f"{gap.high:+.3f}"
            )
    file = shlex.quote(str(folder / result.file))
    return [*lines, f"use it: nas search CONFIG objective=eproxy objective.settings={file}"]


def table(entries: list[EvalResult]) -> str:
    """Accuracies in percent with their uncorrected 95 % intervals, and the harmonic robustness score."""
    first = entries[0]
    about = f"{first.n_test} test images, {first.norm} eps {first.eps:.4g}"
    lines = Table(title=f"{about}, uncorrected 95 % intervals")
    lines.add_column("model", no_wrap=True)
    lines.add_column("weights", justify="right")
    metrics = [CLEAN, *first.attacks]
    for metric in metrics:
        lines.add_column(metric, justify="right")
    several = all(entry.worst_of_several for entry in entries)
    if several:
        lines.add_column("worst case", justify="right")
    for attack in first.attacks:
        lines.add_column(f"HRS {attack}", justify="right")
    for entry in entries:
        cells = [_share(*entry.accuracy(metric)) for metric in [*metrics, *([WORST_CASE] if several else [])]]
        scores = [f"{100 * one.hrs:.1f}" for one in entry.attacks.values()]
        lines.add_row(entry.name, f"{entry.params:,}", *cells, *scores)
    return _written(lines)


def _matrix(result: TransferResult, attack: str) -> str:
    """The table of one attack: accuracy of each target (column) under examples of each source (row)."""
    names = [network.name for network in result.networks]
    lines = Table(title=f"{attack}, {result.n_test} test images, {result.norm} eps {result.eps:.4g}")
    lines.add_column("source \\ target", no_wrap=True)
    for name in names:
        lines.add_column(name, justify="right")
    lines.add_row("(clean)", *(_share(result.clean.accuracy[name], result.clean.intervals[name]) for name in names))
    for name, row, bounds in zip(names, result.attacks[attack].accuracy, result.attacks[attack].intervals):
        lines.add_row(name, *map(_share, row, bounds))
    return _written(lines)


def _share(accuracy: float, bounds: Interval) -> str:
    return f"{100 * accuracy:.1f} [{100 * bounds.low:.0f}-{100 * bounds.high:.0f}]"


def checked_lines(checks: list[Check]) -> list[str]:
    """Whether the numbers mean anything: one line per check; of those made by default, one for all that pass."""
    by_default = all(one.name in OUTPUT_CHECKS for one in checks)
    passed = [one.name for one in checks if one.ok == "pass"] if by_default else []
    lines = [f"{one.ok:<7} {one.name}: {one.reason}" for one in checks if one.name not in passed]
    if passed:
        lines.append(f"{'pass':<7} {', '.join(passed)} (eval.checks=true attacks further)")
    return lines


def _said_of(model: EvalResult) -> list[str]:
    """What stands below the table of a whole run, of one of its networks."""
    return [*non_finite(model), *remark_lines(model), *corruption_lines(model)[:1], *checked_lines(model.checks)]


def _metrics(found: FoundArchitecture) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in found.metrics.items() if value is not None)


_TEXTS: dict[type[Result], Callable[[Path, Any], list[str]]] = {
    SearchResult: _search,
    TrainResult: _train,
    EvalResult: _eval,
    RunResult: _run,
    StudyResult: _study,
    TransferResult: _transfer,
    DpsResult: _dps,
}
