"""Evaluated networks as text for a terminal: tables, and lines below them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nas.core.radius import radius
from nas.eval.corruptions import SAME_IMAGES
from nas.report.notes import remarks
from nas.report.wording import picture_name
from nas.results import (
    CLEAN,
    OUTPUT_CHECKS,
    WORST_CASE,
    Check,
    EvalResult,
    Interval,
    Reliability,
)


def eps_text(eps: float) -> str:
    """The radius of an attack; a whole number of 255ths is given in both ways.

    >>> eps_text(8 / 255), eps_text(0.1)
    ('8/255 = 0.03137', '0.1')
    """
    levels, number = radius(eps), f"{eps:.4g}"
    return f"{levels} = {number}" if "/" in levels else number


def report_line(folder: Path) -> str:
    """The line that says where the report of a run is."""
    return f"report: {folder / 'report.html'}"


def table_text(table: Table, width: int = 160) -> str:
    """The table as text."""
    console = Console(
        width=width, color_system=None, markup=False, emoji=False, highlight=False
    )  # prints names as they are
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as a table, the first row its header; the first column is aligned left, the others right.

    Columns that do not fit the terminal follow in further tables, each with the first column.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    space = shutil.get_terminal_size((120, 24)).columns - widths[0]
    parts: list[list[int]] = [[]]
    for at in range(1, len(widths)):
        if parts[-1] and sum(widths[other] + 2 for other in [*parts[-1], at]) > space:
            parts.append([])
        parts[-1].append(at)
    lines = []
    for part in parts:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for at in [0, *part]:
            table.add_column(rows[0][at], justify="left" if at == 0 else "right", no_wrap=True)
        for row in rows[1:]:
            table.add_row(row[0], *(row[at] for at in part))
        lines += ["", *(line.rstrip() for line in table_text(table, sum(widths) + 2 * len(widths)).splitlines())]
    return lines[1:]


def remark_lines(entry: EvalResult) -> list[str]:
    """The remarks of an evaluation on its own numbers, line by line."""
    return [f"note: {sentence}" for sentence in remarks(entry)]


def corruption_lines(entry: EvalResult) -> list[str]:
    """Accuracies under common corruptions: the mean, those of groups, and a line for each type."""
    result = entry.corruptions
    if result is None:
        return []
    low, high = result.interval
    groups = ", ".join(f"{group} {100 * accuracy:.1f}" for group, accuracy in result.groups.items())
    lines = [
        f"accuracy under {len(result.mean_of)} types of corruption: {100 * result.mean:.1f} % "
        f"[{100 * low:.1f}-{100 * high:.1f}] (clean {100 * result.clean:.1f}, HRS {100 * result.hrs:.1f}; {groups})"
    ]
    if result.relative is not None:
        for title, value in (("mCE", result.relative.mce), ("relative mCE", result.relative.relative_mce)):
            lines += [] if value is None else [f"{title}: {value:.1f} % of the baseline's error"]
    width = max(map(len, result.accuracy))
    severities = " ".join(f"{severity:>5}" for severity in result.severities)
    lines.append(f"  {'severity':<{width}} {severities}  mean")
    for kind, accuracies in result.accuracy.items():
        values = " ".join(f"{100 * accuracy:5.1f}" for accuracy in accuracies)
        lines.append(f"  {kind:<{width}} {values} {100 * result.types[kind]:5.1f}")
    lines += [f"  left out: {kind}. {reason}" for kind, reason in result.left_out.items()]
    lines.append(f"  {result.n_test} images per type and severity, {result.images}")
    if result.clean_images not in ("", SAME_IMAGES):
        lines.append(f"  the clean accuracy is measured on {result.clean_images}")
    return lines


def measure_lines(entry: EvalResult, folder: Path) -> list[str]:
    """Measures of a network, one line for each; `folder` is that of its run."""
    measures = entry.measures
    lines = []
    if calibration := measures.calibration:
        lines.append(
            f"expected calibration error: {_error(calibration.clean)} clean, "
            f"{_error(calibration.attacked)} under {calibration.attack} ({calibration.images} images)"
        )
    spreads = (
        ("largest eigenvalue of the input Hessian", measures.hessian),
        ("Frobenius norm of the Jacobian", measures.jacobian),
    )
    for title, part in spreads:
        if part is not None:
            low, middle, high = (part.quantiles[key] for key in ("5", "50", "95"))
            lines.append(
                f"{title}: mean {part.mean:.3g}, median {middle:.3g}, 5 % to 95 % {low:.3g} to {high:.3g} "
                f"({part.images} images)"
            )
    if classes := measures.classes:
        for metric in classes[0].accuracy:
            worst = min(classes, key=lambda row: row.accuracy[metric])
            lines.append(
                f"lowest accuracy of a class, {metric}: {100 * worst.accuracy[metric]:.1f} % "
                f"(class {worst.label}, {worst.n} images)"
            )
    if measures.landscape is not None:
        lines.append(f"loss landscape: {folder / picture_name(entry.name)}")
    return lines


def _error(part: Reliability) -> str:
    return "unknown (no finite logits)" if part.ece is None else f"{100 * part.ece:.1f} %"


def accuracy_table(entries: list[EvalResult]) -> str:
    """Accuracies in percent with their uncorrected 95 % intervals, and the harmonic robustness score."""
    first = entries[0]
    about = f"{first.n_test} test images, {first.norm} eps {eps_text(first.eps)}"
    table = Table(title=f"{about}, uncorrected 95 % intervals")
    table.add_column("model", no_wrap=True)
    table.add_column("weights", justify="right")
    metrics = {name: name for name in (CLEAN, *first.attacks)}
    if all(entry.worst_of_several for entry in entries):
        metrics[WORST_CASE] = "worst case"
    robust = [title for name, title in metrics.items() if name != CLEAN]
    for title in (*metrics.values(), *(f"HRS {title}" for title in robust)):
        table.add_column(title, justify="right")
    for entry in entries:
        cells = [short_accuracy(*entry.accuracy(metric)) for metric in metrics]
        attacked = [
            entry.worst_case if name == WORST_CASE else entry.attacks[name] for name in metrics if name != CLEAN
        ]
        scores = [f"{100 * one.hrs:.1f}" for one in attacked]
        table.add_row(entry.name, f"{entry.params:,}", *cells, *scores)
    return table_text(table)


def short_accuracy(accuracy: float, bounds: Interval) -> str:
    """An accuracy in percent, with its interval."""
    return f"{100 * accuracy:.1f} [{100 * bounds.low:.0f}-{100 * bounds.high:.0f}]"


def check_lines(checks: list[Check]) -> list[str]:
    """The checks of an evaluation, line by line; those that pass share a line if only the default ones were made."""
    by_default = all(one.name in OUTPUT_CHECKS for one in checks)
    passed = [one.name for one in checks if one.ok == "pass"] if by_default else []
    lines = [f"{one.ok:<7} {one.name}: {one.reason}" for one in checks if one.name not in passed]
    if passed:
        lines.append(f"{'pass':<7} {', '.join(passed)} (eval.checks=true makes further attacks)")
    return lines
