"""Labelled architectures: a CSV or JSON file of architectures and accuracies, and their split for a search."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from random import Random

import numpy as np

from nas.core.errors import InputError
from nas.core.io.files import read_text
from nas.core.seeds import derive
from nas.core.suggestions import suggest
from nas.search_spaces import SearchSpace
from nas.search_spaces.architecture_source import COLUMNS
from nas.tables.layouts.reading import read_columns
from nas.tables.repeated import averaged

ACCURACY = "accuracy"  # the column of accuracies in the layout of NDS
Labels = list[tuple[str, float]]  # architectures and their accuracies


def read_labels(path: Path, space: SearchSpace, column: str | None) -> Labels:
    """The architectures of a CSV file with a column arch or arch_str, and their accuracies.

    `column` names the accuracies; without it, the file must have one other column of numbers. An architecture with
    several rows gets their mean, as in the tables. A .json file has a layout of `nas.tables.layouts`; without `column`
    its `accuracy` counts, or its only column. Raises InputError that names the wrong line, for example if an
    architecture has no number.
    """
    if path.suffix.lower() == ".json":
        return _of_json(path, space, column)
    try:
        rows = list(csv.reader(io.StringIO(read_text(path))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Expected a readable CSV file but got {path}: {error}.") from error
    header = [name.strip() for name in rows[0]] if rows else []
    arch_column = next((name for name in COLUMNS if name in header), None)
    if arch_column is None:
        raise InputError(f"Expected a column {' or '.join(COLUMNS)} in the first line of {path} but got {header}.")
    table = {number: row for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)}
    for number, row in table.items():
        if len(row) != len(header):
            raise InputError(f"Expected {len(header)} cells in line {number} of {path} but got {len(row)}.")
    if column is None:
        column = _only_numbers(path, header, arch_column, list(table.values()))
    elif column not in header:
        raise InputError(
            f"Expected a column of {path} for --accuracy but got {column!r}{suggest(column, header)}; there are "
            f"{', '.join(header)}."
        )
    place = header.index(column)
    texts, values = [], []
    lines: dict[str, int] = {}  # number of the first line of each architecture
    for number, row in table.items():
        try:
            text = str(space.parse(row[header.index(arch_column)]))
        except InputError as error:
            raise InputError(f"Line {number} of {path}: {error}") from error
        value = _number(row[place])
        if value is None:
            raise _no_number(path, column, number, row[place])
        texts.append(text)
        values.append(value)
        lines.setdefault(text, number)
    architectures, means = averaged(str(path), texts, {column: np.array(values)})
    labels = list(zip(architectures, map(float, means[column])))
    for text, value in labels:
        if not math.isfinite(value):
            raise _no_number(path, column, lines[text], table[lines[text]][place])
    return labels


def _of_json(path: Path, space: SearchSpace, column: str | None) -> Labels:
    table = read_columns(path, space)
    names = table.names()
    wanted = column or (names[0] if len(names) == 1 else ACCURACY)
    if wanted not in names:
        raise InputError(
            f"Expected a column of {path} for --accuracy but got {wanted!r}{suggest(wanted, names)}; there are "
            f"{', '.join(names)}."
        )
    return [(arch, value) for arch, value in zip(table.architectures, table.column(wanted).tolist()) if value == value]


def _no_number(path: Path, column: str, line: int, got: str) -> InputError:
    return InputError(
        f"Expected a number for {column} in line {line} of {path} but got {got!r}; leave out architectures without one."
    )


def _only_numbers(path: Path, header: list[str], arch_column: str, rows: list[list[str]]) -> str:
    """The only column of numbers besides the architectures; its cells may be empty."""
    columns = []
    for place, name in enumerate(header):
        values = [_number(row[place]) for row in rows]
        if name != arch_column and None not in values and any(math.isfinite(value or 0) for value in values):
            columns.append(name)
    if len(columns) != 1:
        raise InputError(
            f"Expected one column of numbers in {path} but got {', '.join(columns) or 'none'}; name it with --accuracy."
        )
    return columns[0]


def _number(text: str) -> float | None:
    """The number in a cell: NaN if the cell is empty, None if it holds a word."""
    try:
        return float(text) if text.strip() else math.nan
    except ValueError:
        return None


def split(labels: Labels, space: SearchSpace, count: int, held_out: int | None, seed: int) -> tuple[Labels, Labels]:
    """`count` labelled architectures to search with, and `held_out` (None: all) of the others to report on.

    Both are drawn with the seed. No architecture to report on is isomorphic to one to search with. Raises InputError if
    `count` or `held_out` is impossible, labels are too few, or all accuracies to search with are equal.
    """
    if count < 3:
        raise InputError(f"Expected --count of at least 3 architectures to rank but got {count}.")
    if held_out is not None and held_out < 0:
        raise InputError(f"Expected --held-out of 0 or more architectures but got {held_out}.")
    if len(labels) < count:
        raise InputError(f"Expected at least {count} labelled architectures (--count) but got {len(labels)}.")
    shuffled = list(labels)
    Random(derive(seed, "dps labels")).shuffle(shuffled)
    seen = shuffled[:count]
    if len({accuracy for _, accuracy in seen}) == 1:
        raise InputError(f"Expected different accuracies to rank but all {count} are {seen[0][1]}; raise --count.")
    classes = {space.canonical(space.parse(text)) for text, _ in seen}
    unseen = [(text, value) for text, value in shuffled[count:] if space.canonical(space.parse(text)) not in classes]
    return seen, unseen[:held_out]
