"""Tables in JSON: records of NDS, pairs and records of NAS-Bench-MR, and rows with `arch`.

Sources: Radosavovic et al., ICCV 2019 (arXiv:1905.13214); Ding et al., CVPR 2021 (arXiv:2103.13253).
"""

from __future__ import annotations

import itertools
import json
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.io.records import Json
from nas.tables.base import DIGITS
from nas.tables.files import Origin, Rows, uncollected
from nas.tables.layouts.json_list import NoList, list_entries

NDS_PARTS = ("top", "mid")  # the two lists of a file of NDS's release in which the best networks stand apart
TRAINED_WITH = ("base_lr", "wd")  # options of training that vary in the `lr-wd` files
DIVERGED = 99.0  # percent of test error, of 1000 classes
METRIC = "metric"  # the name of the second of a pair
CONFIGURATION = ("input_channel", "inverted_residual_setting", "last_channel")


class Gathered:
    """The architectures of rows, and their numbers by column: NaN where a row has none."""

    def __init__(self) -> None:
        self.architectures: list[str] = []
        self.columns: dict[str, array[float]] = {}

    def add(self, architecture: str, values: dict[str, float]) -> None:
        for name, value in values.items():
            column = self.columns.setdefault(name, array("d"))
            self._fill(column)
            column.append(value)
        self.architectures.append(architecture)

    def _fill(self, column: array[float]) -> None:
        missing = len(self.architectures) - len(column)
        if missing:
            column.extend([math.nan] * missing)

    def rows(self) -> Rows:
        for column in self.columns.values():
            self._fill(column)
        return Rows(self.architectures, {name: np.array(column) for name, column in self.columns.items()})


@uncollected()
def read_json(path: Path, origin: Origin) -> tuple[Rows, list[str]]:
    """Architectures and columns, and what the user should know of them. Raises InputError for another layout.

    The rows of a list are read one after the other, so that memory is needed for what is kept of them only.
    """
    with origin.opened(path) as file:
        try:
            return _read_rows(path, list_entries(file), origin)
        except NoList:
            pass
        except (ValueError, RecursionError) as error:
            raise origin.damaged(path, f"it is not JSON ({error})") from error
    content = origin.json(path)
    if not isinstance(content, dict) or not set(content) & set(NDS_PARTS):
        raise origin.damaged(path, "it is not a list of rows")
    parts = [part for part in content.values() if isinstance(part, list)]
    return _read_rows(path, itertools.chain.from_iterable(parts), origin)


def _read_rows(path: Path, entries: Iterator[Any], origin: Origin) -> tuple[Rows, list[str]]:
    first = next(entries, None)
    if first is None:
        raise origin.damaged(path, "it is not a list of rows")
    entries = itertools.chain([first], entries)
    if isinstance(first, dict) and "net" in first:
        return _nds(path, entries, origin)
    read = _pair if isinstance(first, list) else _record
    gathered = Gathered()
    for number, row in enumerate(entries, 1):
        gathered.add(*read(path, row, number, origin))
    return gathered.rows(), []


def _nds(path: Path, records: Iterator[Any], origin: Origin) -> tuple[Rows, list[str]]:
    """`accuracy`, 100 minus the test error after the last epoch in percent, `params` and `flops` of each record."""
    gathered = Gathered()
    training = set()
    diverged = 0
    for number, record in enumerate(records, 1):
        try:
            errors = record["test_ep_top1"]
            error = float(errors[-1]) if errors else math.nan
            text = json.dumps(record["net"])
            training.add(tuple(record.get("optim", {}).get(key) for key in TRAINED_WITH))
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as cause:
            raise origin.damaged(path, f"record {number} is not one of NDS ({cause!r})") from cause
        diverged += error >= DIVERGED
        values = {"accuracy": round(100 - error, DIGITS) if math.isfinite(error) else math.nan}
        gathered.add(text, values | {key: v for key, v in _numbers(record).items() if key in ("params", "flops")})
    warnings = []
    if len(training) > 1:
        warnings.append(
            f"its networks were trained with {len(training):,} pairs of learning rate and weight decay, so that "
            "accuracy is not a function of the network alone"
        )
    if diverged:
        warnings.append(f"{diverged:,} records have an error of {DIVERGED:g} % or more; they are used like the others")
    return gathered.rows(), warnings


def _pair(path: Path, row: Any, number: int, origin: Origin) -> tuple[str, dict[str, float]]:
    """[configuration, metric], or [configuration, {name: metric}]."""
    if not isinstance(row, list) or len(row) != 2:
        raise origin.damaged(path, f"row {number} is not a pair [configuration, metric]")
    value = row[1]
    values = _numbers(value) if isinstance(value, dict) else _numbers({METRIC: value})
    if not values and value is not None:
        raise origin.damaged(path, f"row {number} has {str(value)[:40]!r}, not a number")
    return _text(row[0]), values


def _record(path: Path, row: Any, number: int, origin: Origin) -> tuple[str, dict[str, float]]:
    """{"arch": text, NAME: number, ...}, or a configuration whose further keys are numbers."""
    if isinstance(row, dict):
        for key in ("arch", "arch_str"):
            if key in row:
                return _text(row[key]), _numbers(row)
        if set(CONFIGURATION) <= set(row):
            return _text({key: row[key] for key in CONFIGURATION}), _numbers(
                {key: value for key, value in row.items() if key not in CONFIGURATION}
            )
    raise origin.damaged(path, f"row {number} has no arch, no net and no configuration")


def _text(architecture: Any) -> str:
    return architecture if isinstance(architecture, str) else json.dumps(architecture)


def _numbers(row: Json) -> dict[str, float]:
    """The entries that are numbers."""
    numbers = {}
    for key, value in row.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                numbers[key] = float(value)
            except OverflowError:
                numbers[key] = math.nan
    return numbers
