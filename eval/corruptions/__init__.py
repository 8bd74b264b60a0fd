"""Common corruptions: the 15 types of the benchmark and 4 more, at five severities, computed or read from files."""

from nas.eval.corruptions.asked import SAME, Asked, CorruptionOptions
from nas.eval.corruptions.base import CORRUPTIONS, SEVERITIES, Corruption
from nas.eval.corruptions.evaluation import corrupted, evaluate_corruptions
from nas.eval.corruptions.names import GROUPS, chosen
from nas.eval.corruptions.sources import Computed, Published, Source

__all__ = [
    "CORRUPTIONS",
    "GROUPS",
    "SAME",
    "SEVERITIES",
    "Asked",
    "Computed",
    "Corruption",
    "CorruptionOptions",
    "Published",
    "Source",
    "chosen",
    "corrupted",
    "evaluate_corruptions",
]
