"""NAS-Bench-Suite-Zero's own file of proxy scores, zc_nasbench201.json, in the layout of its release.

    {data set: {"(4, 0, 3, 1, 4, 3)": {"nwot": {"score": 754.7, "time": 0.4}, ..., "val_accuracy": 84.9}}}

Source: Krishnakumar et al., NeurIPS 2022 (arXiv:2210.03230).
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.nasbench201.notation import NASLIB_OPERATIONS, of_naslib
from nas.tables.base import ArrayTable
from nas.tables.files import Origin, uncollected

ORIGIN = Origin(
    "NAS-Bench-Suite-Zero's scores",
    "get zc_nasbench201.json as https://github.com/automl/NASLib (branch zerocost) says",
)
ACCURACY = "val_accuracy"  # of the trained network, so it is not the score of a proxy


def is_suite_zero(text: str) -> bool:
    """Whether a JSON text begins like this layout: data set → operation codes → ..."""
    return re.match(r'\s*\{\s*"[^"]*"\s*:\s*\{\s*"\([\d, ]+\)"\s*:', text) is not None


@uncollected()
def parse(path: Path, text: str, dataset: str | None) -> ArrayTable:
    """One column per proxy, NaN where it has no number; `val_accuracy` can be read but is not among `names()`.

    Only the part of `dataset` is decoded. Raises InputError if the file is damaged, or `dataset` is None or not in it.
    """
    entries = _part(path, text, dataset)
    architectures: list[str] = []
    columns: dict[str, np.ndarray] = {}
    for row, (codes, scores) in enumerate(entries.items()):
        architectures.append(_cell(path, codes))
        if not isinstance(scores, dict):
            raise ORIGIN.damaged(path, f"{codes} has {scores!r} instead of scores")
        for name, value in scores.items():
            if name == "id":
                continue
            if name not in columns:
                columns[name] = np.full(len(entries), math.nan)
            if type(value) in (float, int):
                try:
                    columns[name][row] = value
                except OverflowError as error:
                    raise ORIGIN.damaged(path, f"{codes} has a number out of range for {name!r}") from error
            elif value is not None:
                raise ORIGIN.damaged(path, f"{codes} has {value!r} for {name!r}, not a number")
    unlisted = {ACCURACY: columns.pop(ACCURACY)} if ACCURACY in columns else {}
    return ArrayTable(str(path), architectures, columns, unlisted=unlisted)


def _cell(path: Path, codes: str) -> str:
    """The string of the cell that (4, 0, 3, 1, 4, 3) stands for."""
    numbers = re.findall(r"\d+", codes)
    if len(numbers) != len(EDGES) or any(int(number) >= len(NASLIB_OPERATIONS) for number in numbers):
        raise ORIGIN.damaged(path, f"{codes!r} is not six operation codes from 0 to {len(NASLIB_OPERATIONS) - 1}")
    return str(of_naslib([int(number) for number in numbers]))


def _part(path: Path, text: str, dataset: str | None) -> Json:
    """The scores of one data set: operation codes → proxy → number."""
    match = re.search(rf'"{re.escape(dataset)}"\s*:\s*(?=\{{)', text, re.IGNORECASE) if dataset is not None else None
    if match is not None:
        try:
            return json.JSONDecoder(object_hook=_unwrapped).raw_decode(text, match.end())[0]
        except (ValueError, RecursionError) as error:
            raise ORIGIN.damaged(path, f"it is not JSON ({error})") from error
    known = ORIGIN.json(path, text)
    if dataset is None:
        raise InputError(f"Expected a data set to read from {path} but got none; name one of {', '.join(known)}.")
    ORIGIN.dataset(dataset, known, path)
    raise ORIGIN.damaged(path, f"{dataset} has no scores")


def _unwrapped(entry: Json) -> Any:
    """{"score": number, "time": seconds} as the number, which takes a tenth of the memory."""
    return entry.get("score", entry)
