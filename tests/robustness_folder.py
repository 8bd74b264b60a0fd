"""A folder like that of the robustness dataset, of a few cells: for tests of whatever reads one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_robustness(
    folder: Path,
    dataset: str,
    cells: Sequence[str],
    values: Mapping[str, Any],
    epsilons: Mapping[str, Sequence[float]] | None = None,
    twins: Sequence[str] = (),
) -> None:
    """Write meta.json and a file per measurement: `values` are by its name, a row per cell.

    Cells have the ids 10, 12, 14, ...; `twins`, strings that are isomorphic to the cells in turn, 11, 13, 15, ...
    """
    ids = {str(10 + 2 * row): {"nb201-string": text, "isomorph": str(10 + 2 * row)} for row, text in enumerate(cells)}
    ids |= {str(11 + 2 * row): {"nb201-string": text, "isomorph": str(10 + 2 * row)} for row, text in enumerate(twins)}
    (folder / dataset).mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps({"ids": ids, "epsilons": epsilons or {}}))
    for name, rows in values.items():
        write_measurement(folder, dataset, name, rows)


def write_measurement(folder: Path, dataset: str, name: str, rows: Any) -> None:
    """Write the file of one measurement anew."""
    entries = {str(10 + 2 * row): value for row, value in enumerate(np.asarray(rows).tolist())}
    content = {dataset: {name: {"accuracy": entries}}}
    (folder / dataset / f"{name}_accuracy.json").write_text(json.dumps(content))
