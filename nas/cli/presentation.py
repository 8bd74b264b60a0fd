"""A run's result for scripts and for people."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def presented(command: str, folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """What `--json` prints: `result.json` of a whole run; the documented part of it, with usable paths, otherwise."""
    if command == "search":
        return {**result, "run": str(folder)}
    if command == "train":
        return {**result, "checkpoint": str(folder / result["checkpoint"]), "run": str(folder)}
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
            lines.append(f"{result['evaluated']} classes evaluated{note}")
        lines += [
            f"train the best: nas train {shlex.quote(str(folder))}",
        ]
        return "\n".join(lines)
    if command == "train":
        return (
            f"validation accuracy {result['val_accuracy']:.3f} after {result['epochs']} epochs\n"
            f"checkpoint: {folder / result['checkpoint']}\nattack it: nas eval {shlex.quote(str(folder))}"
        )
    if command == "dps":
        return _dps(folder, result)
    if command == "eval":
        return table([result])
    lines = [table(result["models"]), ""]
    for row in result["differences"]:
        if row["first"].startswith("best") and row["second"].startswith("random"):
            lines.append(f"{row['first']} minus {row['second']}, {row['metric']}: {row['text']}")
    return "\n".join([*lines, f"report: {folder / 'report.html'}"])


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
                f"  difference of rho {gap['value']:+.3f}, 95 % interval {gap['low']:+.3f} to {gap['high']:+.3f}"
            )
    file = shlex.quote(str(folder / result["file"]))
    lines.append(f"use it: nas search CONFIG objective=eproxy objective.settings={file}")
    return "\n".join(lines)


def table(entries: list[dict[str, Any]]) -> str:
    """Accuracies in percent with their 95 % intervals, and the harmonic robustness score."""
    first = entries[0]
    lines = Table(title=f"{first['n_test']} test images, {first['norm']} eps {first['eps']:.4g}, 95 % intervals")
    lines.add_column("model", no_wrap=True)
    lines.add_column("weights", justify="right")
    metrics = ["clean", *first["attacks"]]
    for metric in metrics:
        lines.add_column(metric, justify="right")
    for attack in first["attacks"]:
        lines.add_column(f"HRS {attack}", justify="right")
    for entry in entries:
        accuracy = {"clean": entry["clean"], **entry["attacks"]}
        cells = [f"{100 * accuracy[m]:.1f} [{_interval(entry, m)}]" for m in metrics]
        scores = [f"{100 * entry['hrs'][attack]:.1f}" for attack in entry["attacks"]]
        lines.add_row(entry["name"], f"{entry['params']:,}", *cells, *scores)
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(lines)
    return capture.get()


def _interval(entry: dict[str, Any], metric: str) -> str:
    low, high = entry["intervals"][metric]
    return f"{100 * low:.0f}-{100 * high:.0f}"


def _metrics(entry: dict[str, Any]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in entry["metrics"].items())
