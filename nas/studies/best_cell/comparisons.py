"""Means over runs with their intervals, and tests of one variant against the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nas.core.statistics.paired import holm
from nas.core.statistics.repetitions import rank_sum, signed_rank, t_test

MIN_PAIRS = 6  # runs with the same seed below which nothing is tested: no p-value could be below .03


class Comparison(NamedTuple):
    """One variant minus another; p-values are two-sided and corrected by Holm over all comparisons of a table."""

    other: str
    runs: int  # seeds that both have
    difference: float  # of the means over these
    paired: float  # Wilcoxon's signed-rank test of the runs with the same seed
    unpaired: float  # the Mann-Whitney test of all runs


def mean_interval(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The mean and its 95 % interval by Student's t; no interval of a single value, or of equal ones."""
    test = t_test(values)
    return test.mean, test.low, test.high


def compared(reference: str, found: Mapping[str, Mapping[int, float]]) -> list[Comparison]:
    """The `reference` against every other variant with enough common seeds; `found` are values by variant and seed."""
    own = found[reference]
    raw: list[Comparison] = []
    for other, values in found.items():
        seeds = [seed for seed in own if seed in values]
        if other != reference and len(seeds) >= MIN_PAIRS:
            differences = np.array([own[seed] - values[seed] for seed in seeds])
            mean = float(differences.mean())
            unpaired = rank_sum(list(own.values()), list(values.values()))
            raw.append(Comparison(other, len(seeds), mean, signed_rank(differences.tolist()), unpaired))
    corrected = zip(holm([one.paired for one in raw]), holm([one.unpaired for one in raw]))
    return [one._replace(paired=p, unpaired=u) for one, (p, u) in zip(raw, corrected)]
