"""Published benchmarks and score files as columns of numbers, asked by architecture."""

from nas.tables.base import ArrayTable, Table, in_short
from nas.tables.published import read_accuracies, read_robbench
from nas.tables.robustness import CORRUPTIONS, GROUPS, RobustnessDataset
from nas.tables.scores import read_scores

__all__ = [
    "CORRUPTIONS",
    "GROUPS",
    "ArrayTable",
    "RobustnessDataset",
    "Table",
    "in_short",
    "read_accuracies",
    "read_robbench",
    "read_scores",
]
