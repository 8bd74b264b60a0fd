"""Percentile ranks of an architecture in published tables: how many of all classes are worse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.results import PercentileRank
from nas.tables import Collection

COLUMNS = ("clean", "fgsm@1", "pgd@1", "apgd@1", "square@1", "corruptions", "hrs:fgsm@1", "hrs:pgd@1")


def default_columns(tables: Collection) -> list[str]:
    """Those of `COLUMNS` that the tables have."""
    columns = {*tables.labels, *(f"hrs:{name}" for name in tables.labels if "clean" in tables.labels)}
    return [name for name in COLUMNS if name in columns]


def percentile_ranks(tables: Collection, architecture: str, columns: Sequence[str] = ()) -> dict[str, PercentileRank]:
    """For each column, the value of the architecture and its percentile rank among all classes of the table.

    The rank is the percentage of classes that are worse; those with the same value count half. Both are None if the
    tables have no value.
    """
    from scipy.stats import percentileofscore  # imported here: it is slow, and every search imports this module

    ranks: dict[str, PercentileRank] = {}
    for name in columns or default_columns(tables):
        values = tables.values(name, tables.classes([name]))
        value = float(tables.values(name, [architecture])[0])
        sign = 1 if tables.higher_is_better(name) else -1
        known = np.isfinite(value) and len(values)
        percent = float(percentileofscore(sign * values, sign * value, kind="mean")) if known else None
        ranks[name] = PercentileRank(value if known else None, percent)
    return ranks
