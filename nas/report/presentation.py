"""A run's result for scripts and for people."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nas.eval.corruptions import SAME
from nas.eval.outputs import NAMES
from nas.report import study_page
from nas.report.wording import non_finite, picture_name, probability_of_few, remarks, taken
from nas.runs.differences import corrected, correction


def presented(command: str, folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """What `--json` prints: `result.json` of a whole run; the documented part of it, with usable paths, otherwise."""
    if command == "search":
        return {**result, "run": str(folder)}
    if command == "train":
        final = {"final": {**result["final"], "checkpoint": str(folder / result["final"]["checkpoint"])}}
        return {**result, **final, "checkpoint": str(folder / result["checkpoint"]), "run": str(folder)}
    if command == "dps":
        return {**result, "file": str(folder / result["file"]), "run": str(folder)}
    return result


def text_of(command: str, folder: Path, result: dict[str, Any]) -> str:
    """What a person reads."""
    if command == "search":
        lines = [f"{number}. {entry['arch']}  {_metrics(entry)}" for number, entry in enumerate(result["best"], 1)]
        lines += _standing(result["best"][0].get("standing", {}))
        note = " (no further class found within the limits)" if result["exhausted"] else ""
        if "epochs" in result:
            why = f", stopped early: {result['stopped']}" if result["stopped"] else ""
            lines.append(f"architecture of epoch {result['chosen_epoch']} of {result['evaluated']}{why}")
            warning = result["epochs"][-1]["warning"]
            lines += [f"warning: {warning}"] if warning else []
        else:
            failed = f", {result['failed']} of them without a value" if result["failed"] else ""
            lines.append(f"{result['evaluated']} classes evaluated{failed}{note}")
            lines += [f"why: nas report {shlex.quote(str(folder))}"] if failed else []
        lines += [
            f"train the best: nas train {shlex.quote(str(folder))}",
        ]
        return "\n".join(lines)
    if command == "train":
        final = result["final"]
        if result.get("val_accuracy") is None:
            return (
                f"no image was withheld for validation; the network of the last epoch, {result['epochs']}: "
                f"{folder / result['checkpoint']}\n"
                f"attack it: nas eval {shlex.quote(str(folder))}"
            )
        return (
            f"validation accuracy {_validated(result)} at epoch {result['chosen_epoch']} of {result['epochs']}: "
            f"{folder / result['checkpoint']}\n"
            f"validation accuracy {_validated(final)} at the last: {folder / final['checkpoint']}\n"
            f"attack it: nas eval {shlex.quote(str(folder))}"
        )
    if command == "dps":
        return _dps(folder, result)
    if command == "study":
        return _study(folder, result)
    if command == "transfer":
        takes = [f"{network['name']}: {line}" for network in result["networks"] for line in taken(network)]
        return "\n".join([*map(_matrix(result), result["transfer"]), *takes, *checked_lines(result)])
    if command == "eval":
        lines = [
            table([result]),
            *taken(result),
            *non_finite(result),
            *remark_lines(result),
            *corruption_lines(result),
            *checked_lines(result),
            *measured_lines(result, folder),
        ]
        return "\n".join([*lines, f"report: {folder / 'report.html'}"])
    lines = [table(result["models"]), ""]
    for model in result["models"]:
        lines += [f"{model['name']} {line}" for line in _said_of(model)]
    rows = corrected(result)["differences"]
    for row in rows:
        if row["first"].startswith("best") and row["second"].startswith("random"):
            lines.append(f"{row['first']} minus {row['second']}, {row['metric']}: {row['text']}")
    lines += [correction(len(rows), "of the result")] if rows else []
    return "\n".join([*lines, f"report: {folder / 'report.html'}"])


def _study(folder: Path, result: dict[str, Any]) -> str:
    metrics = list(result["models"][0]["metrics"])
    seeds = len(result["seeds"])
    lines = Table(title=f"{seeds} seeds, {result['n_test']} test images, mean ± standard deviation in percent")
    lines.add_column("model", no_wrap=True)
    for metric in metrics:
        lines.add_column(study_page.metric_title(metric), justify="right")
    for model in result["models"]:
        lines.add_row(model["name"], *(study_page.spread(model["metrics"][metric]) for metric in metrics))
    texts = [_written(lines)]
    for row in result["tests"]:
        values = ", ".join(study_page.points(value) for value in row["values"])
        texts.append(
            f"{row['first']} minus {row['second']}, {study_page.metric_title(row['metric'])}: {values}; p "
            f"{probability_of_few(row['seeds']['p'])} (t), {probability_of_few(row['p_flip'])} (sign flip)"
        )
    if result["tests"]:
        texts.append(
            f"(p-values are uncorrected; the sign-flip test cannot give less than {result['smallest_p_flip']:.3g} with "
            f"{seeds} seeds)"
        )
    return "\n".join([*texts, f"report: {folder / 'report.html'}"])


def _written(lines: Table) -> str:
    console = Console(width=160, color_system=None, markup=False, emoji=False, highlight=False)  # names as they are
    with console.capture() as capture:
        console.print(lines)
    return capture.get()


def remark_lines(entry: dict[str, Any]) -> list[str]:
    """What makes the numbers mean less than they say."""
    return [f"note: {sentence}" for sentence in remarks(entry)]


def corruption_lines(entry: dict[str, Any]) -> list[str]:
    """Accuracies under common corruptions: the mean, groups, and a line for each type."""
    found = entry.get("corruptions")
    if not found:
        return []
    low, high = found["interval"]
    groups = ", ".join(f"{group} {100 * accuracy:.1f}" for group, accuracy in found["groups"].items())
    lines = [
        f"accuracy under {len(found['mean_of'])} types of corruption: {100 * found['mean']:.1f} % "
        f"[{100 * low:.1f}-{100 * high:.1f}] (clean {100 * found['clean']:.1f}, HRS {100 * found['hrs']:.1f}; {groups})"
    ]
    for name, title in (("mce", "mCE"), ("relative_mce", "relative mCE")):
        if found.get(name) is not None:
            lines.append(f"{title}: {found[name]:.1f} % of the baseline's error")
    width = max(map(len, found["accuracy"]))
    severities = " ".join(f"{severity:>5}" for severity in found["severities"])
    lines.append(f"  {'severity':<{width}} {severities}  mean")
    for kind, accuracies in found["accuracy"].items():
        values = " ".join(f"{100 * accuracy:5.1f}" for accuracy in accuracies)
        lines.append(f"  {kind:<{width}} {values} {100 * found['types'][kind]:5.1f}")
    lines += [f"  left out: {kind}. {reason}" for kind, reason in found["left_out"].items()]
    lines.append(f"  {found['n_test']} images per type and severity, {found['images']}")
    if found.get("clean_images", SAME) != SAME:
        lines.append(f"  the clean accuracy is of {found['clean_images']}")
    return lines


def measured_lines(entry: dict[str, Any], folder: Path) -> list[str]:
    """What was measured of a network besides its accuracies, a line each."""
    found = entry.get("measures") or {}
    lines = []
    if calibration := found.get("calibration"):
        lines.append(
            f"expected calibration error: {_error(calibration['clean'])} clean, "
            f"{_error(calibration['attacked'])} under {calibration['attack']} "
            f"({calibration['images']} images)"
        )
    titles = {"hessian": "largest eigenvalue of the input Hessian", "jacobian": "Frobenius norm of the Jacobian"}
    for name, title in titles.items():
        if name in found:
            part = found[name]
            low, middle, high = (part["quantiles"][key] for key in ("5", "50", "95"))
            lines.append(
                f"{title}: mean {part['mean']:.3g}, median {middle:.3g}, 5 % to 95 % {low:.3g} to {high:.3g} "
                f"({part['images']} images)"
            )
    if classes := found.get("classes"):
        for metric in classes[0]["accuracy"]:
            worst = min(classes, key=lambda row: row["accuracy"][metric])
            lines.append(
                f"lowest accuracy of a class, {metric}: {100 * worst['accuracy'][metric]:.1f} % "
                f"(class {worst['class']}, {worst['n']} images)"
            )
    if "landscape" in found:
        lines.append(f"loss landscape: {folder / picture_name(entry['name'])}")
    return lines


def _error(calibration: dict[str, Any]) -> str:
    ece = calibration["ece"]
    return "unknown (no finite logits)" if ece is None else f"{100 * ece:.1f} %"


def _validated(epoch: dict[str, Any]) -> str:
    robust = epoch.get("val_robust_accuracy")
    return f"{epoch['val_accuracy']:.3f}" + ("" if robust is None else f", under attack {robust:.3f},")


def _standing(columns: dict[str, dict[str, float | None]]) -> list[str]:
    """Where the best stands in the given tables."""
    known = {name: one for name, one in columns.items() if one["value"] is not None}
    if not known:
        return []
    texts = [f"{name} {one['value']:.4g} ({one['percentile']:.1f})" for name, one in known.items()]
    return [
        f"the first in the tables (and percent of all classes that are worse, equals counted half): {', '.join(texts)}"
    ]


def _dps(folder: Path, result: dict[str, Any]) -> str:
    labels, report = result["labels"], result["held_out"]
    lines = [
        f"best of {result['evaluated']} settings: {result['setting']}",
        f"Spearman's rho with the {labels['count']} labels: {labels['spearman']:.3f} (plain Eproxy "
        f"{labels['spearman_plain']:.3f})",
    ]
    if report is None:
        lines.append("no other labelled architectures to report on")
    else:
        lines.append(f"on {report['count']} architectures it did not see:")
        for name, title in (("plain", "Eproxy"), ("dps", "Eproxy + DPS")):
            one = report[name]
            failed = f", {one['failed']} without a value" if one["failed"] else ""
            lines.append(f"  {title:<12}  rho {one['spearman']:.3f}, top-10 % retrieval {one['top10']:.0%}{failed}")
        if (gap := report["difference"]) is not None:
            lines.append(
                f"  difference of rho {gap['value']:+.3f}, 95 % interval of this one comparison {gap['low']:+.3f} to "
                f"{gap['high']:+.3f}"
            )
    file = shlex.quote(str(folder / result["file"]))
    lines.append(f"use it: nas search CONFIG objective=eproxy objective.settings={file}")
    return "\n".join(lines)


def table(entries: list[dict[str, Any]]) -> str:
    """Accuracies in percent with their uncorrected 95 % intervals, and the harmonic robustness score."""
    first = entries[0]
    about = f"{first['n_test']} test images, {first['norm']} eps {first['eps']:.4g}"
    lines = Table(title=f"{about}, uncorrected 95 % intervals")
    lines.add_column("model", no_wrap=True)
    lines.add_column("weights", justify="right")
    metrics = ["clean", *first["attacks"]]
    for metric in metrics:
        lines.add_column(metric, justify="right")
    several = all(len(entry.get("worst_case", {}).get("attacks", [])) > 1 for entry in entries)
    if several:
        lines.add_column("worst case", justify="right")
    for attack in first["attacks"]:
        lines.add_column(f"HRS {attack}", justify="right")
    for entry in entries:
        accuracy = {"clean": entry["clean"], **entry["attacks"]}
        cells = [f"{100 * accuracy[m]:.1f} [{_interval(entry, m)}]" for m in metrics]
        scores = [f"{100 * entry['hrs'][attack]:.1f}" for attack in entry["attacks"]]
        if several:
            cells.append(_share(entry["worst_case"]["accuracy"], entry["worst_case"]["interval"]))
        lines.add_row(entry["name"], f"{entry['params']:,}", *cells, *scores)
    return _written(lines)


def _matrix(result: dict[str, Any]) -> Callable[[str], str]:
    """Writes the table of one attack: accuracy of each target (column) under examples of each source (row)."""
    names = [network["name"] for network in result["networks"]]

    def written(attack: str) -> str:
        lines = Table(title=f"{attack}, {result['n_test']} test images, {result['norm']} eps {result['eps']:.4g}")
        lines.add_column("source \\ target", no_wrap=True)
        for name in names:
            lines.add_column(name, justify="right")
        clean, one = result["clean"], result["transfer"][attack]
        lines.add_row("(clean)", *(_share(clean["accuracy"][name], clean["intervals"][name]) for name in names))
        for name, row, bounds in zip(names, one["accuracy"], one["intervals"]):
            lines.add_row(name, *map(_share, row, bounds))
        return _written(lines)

    return written


def _share(accuracy: float, bounds: list[float]) -> str:
    return f"{100 * accuracy:.1f} [{100 * bounds[0]:.0f}-{100 * bounds[1]:.0f}]"


def checked_lines(entry: dict[str, Any]) -> list[str]:
    """Whether the numbers mean anything: one line per check; of those made by default, one for all that pass."""
    found = entry.get("checks", [])
    by_default = all(one["name"] in NAMES for one in found)
    passed = [one["name"] for one in found if one["ok"] == "pass"] if by_default else []
    lines = [f"{one['ok']:<7} {one['name']}: {one['reason']}" for one in found if one["name"] not in passed]
    if passed:
        lines.append(f"{'pass':<7} {', '.join(passed)} (eval.checks=true attacks further)")
    return lines


def _said_of(model: dict[str, Any]) -> list[str]:
    """What stands below the table of a whole run, of one of its networks."""
    return [*non_finite(model), *remark_lines(model), *corruption_lines(model)[:1], *checked_lines(model)]


def _interval(entry: dict[str, Any], metric: str) -> str:
    low, high = entry["intervals"][metric]
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _metrics(entry: dict[str, Any]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in entry["metrics"].items() if value is not None)
