"""A small search on a made-up table of NAS-Bench-201."""

from __future__ import annotations

from typing import Any

from nas.search_spaces import NASBench201
from nas.studies.table_search_settings import TableSearchSettings

SPACE = NASBench201()


def worth(text: str) -> float:
    """Ten levels, 0 to 1: ties are many, and a change of one edge matters."""
    cell = SPACE.parse(text)
    values = {"none": 0, "skip_connect": 1, "avg_pool_3x3": 1, "nor_conv_1x1": 2, "nor_conv_3x3": 3}
    return round(sum(values[name] for name in cell.operations) / 18, 3)


def compared(**values: Any) -> TableSearchSettings:
    return TableSearchSettings(
        **{"objectives": ["clean"], "strategies": ["random"], "queries": 20, "seeds": 4, **values}
    )
