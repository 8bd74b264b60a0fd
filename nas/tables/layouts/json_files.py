"""Tables in JSON: records of NDS, pairs and records of NAS-Bench-MR, and rows with `arch`.

Sources: Radosavovic et al., ICCV 2019 (arXiv:1905.13214); Ding et al., CVPR 2021 (arXiv:2103.13253).
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.io.records import Json
from nas.search_spaces import SearchSpace
from nas.tables.base import DIGITS
from nas.tables.files import Origin, number_of, uncollected
from nas.tables.layouts.json_list import NoList, list_entries
from nas.tables.layouts.used_rows import UsedRows

NDS_PARTS = ("top", "mid")  # the two lists of a file of NDS's release in which the best networks stand apart
COUNTS = ("params", "flops")
TRAINED_WITH = ("base_lr", "wd")  # options of training that vary in the `lr-wd` files
DIVERGED = 99.0  # percent of test error, of 1000 classes
IGNORED = ("index", "hash", "canonical", "reason")  # columns that hold no values, here and in CSV files
METRIC = "metric"  # the name of the second of a pair
CONFIGURATION = ("input_channel", "inverted_residual_setting", "last_channel")


Values = dict[str, float | str]  # numbers, and texts that are none


class Gathered:
    """The rows that have been read: which are used, and their numbers by column, NaN where a row has none."""

    def __init__(self, space: SearchSpace[Any]) -> None:
        self.used = UsedRows(space)
        self.columns: dict[str, array[float]] = {}
        self.words: dict[str, tuple[int, str]] = {}  # by column, the first row that has a word, and the word

    def add(self, architecture: Any, values: Values) -> None:
        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        for name, word in values.items():
            if isinstance(word, str):
                self.words.setdefault(name, (self.used.count + 1, word))
        for name, value in numbers.items():
            column = self.columns.get(name)
            if column is None:
                column = self.columns[name] = array("d")
            if len(column) < self.used.count:
                self._fill(column)
            column.append(value)
        self.used.add(architecture, any(map(math.isfinite, numbers.values())))

    def _fill(self, column: array[float]) -> None:
        column.extend([math.nan] * (self.used.count - len(column)))

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns, with a number for each row."""
        for column in self.columns.values():
            self._fill(column)
        return {name: np.array(column) for name, column in self.columns.items()}


@uncollected()
def read_json(path: Path, origin: Origin, space: SearchSpace[Any]) -> tuple[Gathered, list[str]]:
    """The rows of a file, and what the user should know of them. Raises InputError for another layout.

    The rows of a list, or of the two lists of NDS, are read one after the other, so that memory is needed for what is
    kept of them only.
    """
    with origin.opened(path) as file:
        try:
            return _read_rows(path, list_entries(file, NDS_PARTS), origin, Gathered(space))
        except NoList:
            pass
        except (ValueError, RecursionError) as error:
            raise origin.damaged(path, f"it is not JSON ({error})") from error
    content = origin.json(path)
    if not isinstance(content, dict) or not set(content) & set(NDS_PARTS):
        raise origin.damaged(path, "it is not a list of rows")
    parts = [part for part in content.values() if isinstance(part, list)]
    return _read_rows(path, itertools.chain.from_iterable(parts), origin, Gathered(space))


def _read_rows(path: Path, entries: Iterator[Any], origin: Origin, gathered: Gathered) -> tuple[Gathered, list[str]]:
    first = next(entries, None)
    if first is None:
        raise origin.damaged(path, "it is not a list of rows")
    entries = itertools.chain([first], entries)
    if isinstance(first, dict) and "net" in first:
        warnings = _nds(path, entries, origin, gathered)
    else:
        read, warnings = _pair if isinstance(first, list) else _record, []
        for number, row in enumerate(entries, 1):
            gathered.add(*read(path, row, number, origin))
    for name, (number, word) in gathered.words.items():
        if name in gathered.columns:
            raise origin.damaged(path, f"{name} of row {number} is {word[:40]!r}, not a number")
    return gathered, warnings


def _nds(path: Path, records: Iterator[Any], origin: Origin, gathered: Gathered) -> list[str]:
    """`accuracy`, 100 minus the test error after the last epoch in percent, `params` and `flops` of each record.

    Returns what the user should know of the trainings.
    """
    training = set()
    diverged = cut = 0
    most = -math.inf
    for number, record in enumerate(records, 1):
        try:
            net, errors, options = record["net"], record["test_ep_top1"], record.get("optim", {})
            error = math.nan if not errors or errors[-1] is None else float(errors[-1])
            training.add(tuple(map(options.get, TRAINED_WITH)))
            counts = _values({key: record[key] for key in record if key in COUNTS})
            cut += 0 < len(errors) < options.get("max_ep", 0)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as cause:
            needed = "it needs net, and test_ep_top1 as a list of numbers; optim and max_ep may be missing"
            raise origin.damaged(path, f"record {number} is not one of NDS; {needed}") from cause
        diverged += error >= DIVERGED
        most = max(most, error if math.isfinite(error) else -math.inf)
        gathered.add(net, {"accuracy": round(100 - error, DIGITS) if math.isfinite(error) else math.nan, **counts})
    if 0 <= most <= 1:
        raise origin.damaged(path, f"its largest error is {most:g}, a fraction, where NDS has percent")
    warnings = []
    if len(training) > 1:
        warnings.append(
            f"its networks were trained with {len(training):,} pairs of learning rate and weight decay, so that "
            "accuracy is not a function of the network alone"
        )
    if cut:
        warnings.append(f"{cut:,} records end before their last epoch; the error of the last one that they have counts")
    if diverged:
        warnings.append(f"{diverged:,} records have an error of {DIVERGED:g} % or more; they are used like the others")
    return warnings


def _pair(path: Path, row: Any, number: int, origin: Origin) -> tuple[Any, Values]:
    """[configuration, metric], or [configuration, {name: metric}]."""
    if not isinstance(row, list) or len(row) != 2:
        raise origin.damaged(path, f"row {number} is not a pair [configuration, metric]")
    value = row[1]
    values = _values(value if isinstance(value, dict) else {METRIC: value})
    if value is not None and not any(isinstance(one, float) for one in values.values()):
        raise origin.damaged(path, f"row {number} has {str(value)[:40]!r}, not a number")
    return row[0], values


def _record(path: Path, row: Any, number: int, origin: Origin) -> tuple[Any, Values]:
    """{"arch": text, NAME: number, ...}, or a configuration whose further keys are numbers."""
    if isinstance(row, dict):
        for key in ("arch", "arch_str"):
            if key in row:
                return row[key], _values({name: value for name, value in row.items() if name != key})
        if set(CONFIGURATION) <= set(row):
            return {key: row[key] for key in CONFIGURATION}, _values(
                {key: value for key, value in row.items() if key not in CONFIGURATION}
            )
    raise origin.damaged(path, f"row {number} has no arch, no net and no configuration")


def _values(row: Json) -> Values:
    """The entries that are numbers, also those that are written as texts, and the texts that are none."""
    values: Values = {}
    for key, value in row.items():
        if key in IGNORED:
            continue
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                values[key] = float(value)
            except OverflowError:
                values[key] = math.nan
        elif isinstance(value, str):
            try:
                values[key] = number_of(value)
            except ValueError:
                values[key] = value
    return values
