"""The rows of mutations that were tried: read from and added to a CSV file, counted, and printed."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from mutating.drawing import Mutation

COLUMNS = (
    *("commit", "key", "folder", "operator", "file", "line", "before", "after"),
    *("outcome", "test", "files", "seconds", "comment", "diff"),
)
OUTCOMES = ("killed", "timeout", "import", "survived")
"""killed     a test does not pass
timeout    a test takes much longer than without the mutation, and is ended
import     the file can no longer be imported
survived   all its tests pass"""
Row = dict[str, str]


def row_of(commit: str, mutation: Mutation, outcome: str, test: str, files: int, seconds: float) -> Row:
    """The row of a mutation that was tried; its `comment` is left to the person who judges it."""
    place = mutation.place
    values = (commit, mutation.key, mutation.folder, place.operator, mutation.file, place.line, mutation.before)
    found = (place.after, outcome, test, files, f"{seconds:.1f}", "", mutation.diff)
    return dict(zip(COLUMNS, map(str, (*values, *found)), strict=True))


def read(path: Path) -> list[Row]:
    """The rows of a file; none if it does not exist."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: Row) -> None:
    """Add a row to a file, which is made if it does not exist."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def summary(rows: Iterable[Row]) -> str:
    """How many were killed and survived for each folder and operator, then the survivors with their diffs."""
    rows = list(rows)
    lines = [f"{'':24}{'tried':>8}" + "".join(f"{outcome:>10}" for outcome in OUTCOMES)]
    for column in ("folder", "operator"):
        for name in dict.fromkeys(row[column] for row in rows):
            lines.append(_line(name, [row for row in rows if row[column] == name]))
        lines.append("")
    lines.append(_line("all", rows))
    for row in rows:
        if row["outcome"] == "survived":
            tests = f"{row['files']} test files pass" if row["files"] != "0" else "no test calls it"
            note = f" [{row['comment']}]" if row["comment"] else ""
            lines.append(f"\n{row['file']}:{row['line']} ({row['operator']}; {tests}){note}\n{row['diff']}")
    return "\n".join(lines)


def _line(name: str, rows: list[Row]) -> str:
    counts = Counter(row["outcome"] for row in rows)
    return f"{name:24}{len(rows):>8}" + "".join(f"{counts[outcome]:>10}" for outcome in OUTCOMES)
