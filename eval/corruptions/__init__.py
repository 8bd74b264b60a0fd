"""Common corruptions: the 15 types of the benchmark and 4 more, at five severities, computed or read from files."""

from nas.eval.corruptions.base import CORRUPTIONS, SEVERITIES, Corruption
from nas.eval.corruptions.corrupted_images import Computed, CorruptedImages, Published
from nas.eval.corruptions.evaluation import corrupted, evaluate_corruptions
from nas.eval.corruptions.names import GROUPS, select_types
from nas.eval.corruptions.plan import SAME_IMAGES, CorruptionOptions, CorruptionPlan

__all__ = [
    "CORRUPTIONS",
    "GROUPS",
    "SAME_IMAGES",
    "SEVERITIES",
    "Computed",
    "CorruptedImages",
    "Corruption",
    "CorruptionOptions",
    "CorruptionPlan",
    "Published",
    "corrupted",
    "evaluate_corruptions",
    "select_types",
]
