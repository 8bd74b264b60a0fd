"""HW-NAS-Bench: latencies and energies of the cells of NAS-Bench-201 on six devices, measured for every string.

Source: Li et al., ICLR 2021 (arXiv:2103.10584).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.unpickle import read_pickle
from nas.tables.base import ArrayTable
from nas.tables.files import Origin, Rows, read_csv

ORIGIN = Origin(
    "HW-NAS-Bench (its own pickle, or a CSV with the columns arch_str, edgegpu_latency, ...)",
    "get HW-NAS-Bench-v1_0.pickle from https://github.com/GATECH-EIC/HW-NAS-Bench",
)
PICKLES = (".pickle", ".pkl")
COSTS = ("_latency", "_energy")  # in ms and mJ: lower is better


class LatencyTable(ArrayTable):
    """Columns DEVICE_latency (ms), DEVICE_energy (mJ) and eyeriss_arithmetic_intensity (operations per byte)."""

    def direction(self, name: str) -> bool | None:
        return not name.endswith(COSTS)


def read_latencies(path: Path, dataset: str) -> LatencyTable:
    """The columns of the file; a latency or energy that is not above 0 is a failed measurement and becomes NaN.

    A pickle has several data sets; a CSV file is taken as that of `dataset`. Several rows of a string are averaged.
    Raises InputError for a file that is missing or damaged.
    """
    rows = _from_pickle(path, dataset) if path.suffix.lower() in PICKLES else read_csv(path, ORIGIN, ("index",))
    if not any(name.endswith(COSTS) for name in rows.columns):
        raise ORIGIN.damaged(path, "no column is called DEVICE_latency or DEVICE_energy")
    columns = {
        name: np.where(values > 0, values, np.nan) if name.endswith(COSTS) else values
        for name, values in rows.columns.items()
    }
    return LatencyTable(str(path), rows.architectures, columns, mean=True)


def _from_pickle(path: Path, dataset: str) -> Rows:
    """{"nasbench201": {data set: {"config": [{"arch_str": ...}, ...], "edgegpu_latency": [...], ...}}}."""
    if not path.exists():
        raise ORIGIN.missing(path)
    try:
        content = read_pickle(path)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; {ORIGIN.where}.") from error
    try:
        by_dataset = content["nasbench201"]
        part = by_dataset[ORIGIN.dataset(dataset, by_dataset, path)]
        configs = _listed(part["config"])
        architectures = [str(config["arch_str"]) for config in configs]
        columns = {
            name: np.array(_listed(values), dtype=np.float64)
            for name, values in part.items()
            if name not in ("config", "average_hw_metric")
        }
    except InputError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ORIGIN.damaged(path, f"it does not have the expected measurements ({error!r})") from error
    for name, column in columns.items():
        if column.shape != (len(architectures),):
            raise ORIGIN.damaged(path, f"{name} does not have one number for each of {len(architectures)} cells")
    return Rows(architectures, columns)


def _listed(values: Any) -> list[Any]:
    """A list, an array, or a dictionary with indices as keys, as a list."""
    return [values[index] for index in range(len(values))] if isinstance(values, dict) else list(values)
