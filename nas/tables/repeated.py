"""Several rows of one architecture, for example from several trainings: their mean, and a line in the log."""

from __future__ import annotations

import logging
import math
import multiprocessing
import statistics
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np


def averaged(
    source: str, architectures: Sequence[str], columns: Mapping[str, np.ndarray]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Each architecture once, in the order of its first row, with the mean of its rows in each column.

    Rows without a finite number in a column do not count there; an architecture without any has NaN. Isomorphic cells
    with different strings count as different. A log line says how many architectures had several rows, and how many
    numbers were left out. Do not use this for scores of proxies, where the first row counts.
    """
    if len(set(architectures)) == len(architectures):
        return list(architectures), {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(architectures):
        rows.setdefault(text, []).append(row)
    several = {place: own for place, own in enumerate(rows.values()) if len(own) > 1}
    first = [own[0] for own in rows.values()]
    means = {}
    left_out = 0
    for name, values in columns.items():
        means[name] = np.asarray(values, dtype=np.float64)[first]
        for place, own in several.items():
            finite = [value for row in own if math.isfinite(value := float(values[row]))]
            means[name][place] = _mean(finite)
            left_out += len(own) - len(finite) if finite else 0
    who = "1 architecture" if len(several) == 1 else f"{len(several):,} architectures"
    without = f"; values left out that are missing or not finite: {left_out:,}" if left_out else ""
    log_once(f"{source}: {who} had several rows; their mean is used{without}.")
    return list(rows), means


def _mean(values: list[float]) -> float:
    """The mean, computed exactly, so that neither the order nor the number of equal values matters; NaN of none."""
    return statistics.mean(values) if values else math.nan


@cache
def log_once(message: str) -> None:
    """Log the message once, in the first process and not in its workers."""
    if multiprocessing.parent_process() is None:
        logging.getLogger("nas").warning(message)
