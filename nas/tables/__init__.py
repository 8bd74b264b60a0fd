"""Published benchmarks and score files as columns of numbers, looked up by architecture."""

from nas.tables.base import ArrayTable, Table, in_short
from nas.tables.collection import Collection, HasCollection, TableSettings
from nas.tables.latencies import LatencyTable, read_latencies
from nas.tables.layouts import SpaceTable, read_columns
from nas.tables.published import read_accuracies, read_robbench
from nas.tables.robustness import CORRUPTIONS, GROUPS, RobustnessDataset
from nas.tables.scores import read_scores

__all__ = [
    "CORRUPTIONS",
    "GROUPS",
    "ArrayTable",
    "Collection",
    "HasCollection",
    "LatencyTable",
    "RobustnessDataset",
    "SpaceTable",
    "Table",
    "TableSettings",
    "in_short",
    "read_accuracies",
    "read_columns",
    "read_latencies",
    "read_robbench",
    "read_scores",
]
