"""Files of proxy scores: published ones (CSV or JSON), and those of `nas score` (CSV, JSON lines, a JSON list)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces import NASBench201, SearchSpace
from nas.tables import suite_zero
from nas.tables.base import ArrayTable
from nas.tables.files import Origin, Rows, read_csv

ORIGIN = Origin(
    "a file of proxy scores",
    "`nas score --output FILE` writes one, and NAS-Bench-Suite-Zero has zc_nasbench201.json "
    "(https://github.com/automl/NASLib, branch zerocost)",
)
NO_PROXIES = ("canonical", "reason", "seconds", "index")  # columns that hold no scores of a proxy


def read_scores(path: Path, dataset: str | None = None, space: SearchSpace[Any] | None = None) -> ArrayTable:
    """One column per proxy, NaN where it failed; the name of the file says its kind (.jsonl, .json, else CSV).

    A .json file is a list of rows, or the file of NAS-Bench-Suite-Zero, from which the part of `dataset` is read; other
    files have one data set. `space` is that of the architectures, by default NAS-Bench-201, to which the file of
    NAS-Bench-Suite-Zero belongs. Raises InputError for a file that is missing or damaged, or without the data set.
    """
    kind = path.suffix.lower()
    if kind == ".jsonl":
        rows = _rows(path, _lines(path))
    elif kind == ".json":
        text = ORIGIN.text(path)
        if suite_zero.is_suite_zero(text):
            if space is not None and not isinstance(space, NASBench201):
                raise InputError(
                    f"Expected scores of {space.name} but {path} has the codes of cells of NAS-Bench-201; write the "
                    "columns arch and, for each proxy, one of numbers as CSV."
                )
            return suite_zero.parse(path, text, dataset)
        rows = _rows(path, ORIGIN.json(path, text))
    else:
        rows = read_csv(path, ORIGIN, NO_PROXIES)
    return ArrayTable(str(path), rows.architectures, rows.columns, space)


def _lines(path: Path) -> list[Any]:
    values = []
    for number, line in enumerate(ORIGIN.text(path).splitlines(), 1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ORIGIN.damaged(path, f"line {number} is not JSON") from error
    return values


def _rows(path: Path, entries: Any) -> Rows:
    """Rows {"arch": string, "scores": {proxy: number or null}}; a row that failed may lack its scores."""
    if not isinstance(entries, list):
        raise ORIGIN.damaged(path, "it is neither a list of rows nor NAS-Bench-Suite-Zero's {data set: {codes: ...}}")
    architectures: list[str] = []
    columns: dict[str, np.ndarray] = {}
    for number, entry in enumerate(entries):
        scores = (entry.get("scores") or {}) if isinstance(entry, dict) else None
        if not isinstance(scores, dict) or not isinstance(entry.get("arch"), str):
            raise ORIGIN.damaged(path, f"row {number + 1} is not of the form {{'arch': ..., 'scores': {{...}}}}")
        architectures.append(entry["arch"].strip())
        for name, value in scores.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ORIGIN.damaged(path, f"row {number + 1} has {value!r} for {name!r}, not a number")
            column = columns.setdefault(name, np.full(len(entries), math.nan))
            try:
                column[number] = math.nan if value is None else value
            except OverflowError as error:
                raise ORIGIN.damaged(path, f"row {number + 1} has a number out of range for {name!r}") from error
    return Rows(architectures, columns)
