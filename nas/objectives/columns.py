"""Columns of published tables as metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.core.errors import NasError
from nas.core.storage.base import Metrics
from nas.objectives.notation import unknown
from nas.strategies.proxies import PROXIES
from nas.tables import Collection
from nas.tables.collection import SCORES


class TableColumns:
    """The values of an architecture in some columns. Raises InputError if no tables are given or they lack a column."""

    def __init__(self, tables: Collection | None, names: Sequence[str]) -> None:
        for name in names:
            if tables is None:
                raise unknown(name)
            tables.column(name)
        assert tables is not None
        self.tables = tables
        self.names = names

    def __call__(self, text: str) -> Metrics:
        metrics = self.tables.metrics(text, self.names)
        for name in self.names:
            if math.isnan(metrics[name]):
                raise NasError(f"The tables have no {name} for {text}.")
        return metrics

    def higher_is_better(self, name: str) -> bool:
        """Whether higher is better in a column. A column of proxy scores has the direction of its proxy."""
        proxy = PROXIES.components.get(name.rpartition(":")[2]) if name.startswith(SCORES) else None
        return self.tables.higher_is_better(name) if proxy is None else proxy.higher_is_better
