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
    return result


def text_of(command: str, folder: Path, result: dict[str, Any]) -> str:
    """What a person reads."""
    if command == "search":
        lines = [f"{number}. {entry['arch']}  {_metrics(entry)}" for number, entry in enumerate(result["best"], 1)]
        note = " (no further class found within the limits)" if result["exhausted"] else ""
        lines += [
            f"{result['evaluated']} classes evaluated{note}",
            f"train the best: nas train {shlex.quote(str(folder))}",
        ]
        return "\n".join(lines)
    if command == "train":
        return (
            f"validation accuracy {result['val_accuracy']:.3f} after {result['epochs']} epochs\n"
            f"checkpoint: {folder / result['checkpoint']}\nattack it: nas eval {shlex.quote(str(folder))}"
        )
    if command == "eval":
        return table([result])
    lines = [table(result["models"]), ""]
    for row in result["differences"]:
        if row["first"].startswith("best") and row["second"].startswith("random"):
            lines.append(f"{row['first']} minus {row['second']}, {row['metric']}: {row['text']}")
    return "\n".join([*lines, f"report: {folder / 'report.html'}"])


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
