"""Several rows of one architecture, as from several trainings of it: their mean, counted and said."""

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

    Rows without a finite number in a column do not count there; an architecture with none of them has NaN. The strings
    are compared, not the classes of isomorphic cells. A log line says how many architectures had several rows; scores
    of proxies, of which the first row counts, do not come here.
    """
    if len(set(architectures)) == len(architectures):
        return list(architectures), {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(architectures):
        rows.setdefault(text, []).append(row)
    several = {place: found for place, found in enumerate(rows.values()) if len(found) > 1}
    first = [found[0] for found in rows.values()]
    means = {}
    for name, values in columns.items():
        means[name] = np.asarray(values, dtype=np.float64)[first]
        for place, found in several.items():
            means[name][place] = _mean([float(values[row]) for row in found])
    who = "1 architecture" if len(several) == 1 else f"{len(several):,} architectures"
    _say(f"{source}: {who} had several rows; their mean is used.")
    return list(rows), means


def _mean(values: list[float]) -> float:
    """Exact before it is rounded, so that it depends neither on the order nor on how often equal values stand there."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.mean(finite) if finite else math.nan


@cache
def _say(message: str) -> None:
    """Once, and by the process that was started, not by its workers too."""
    if multiprocessing.parent_process() is None:
        logging.getLogger("nas").warning(message)
