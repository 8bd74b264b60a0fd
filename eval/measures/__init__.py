"""Measures of a trained network on test images besides its accuracies, by name."""

from nas.eval.measures.kinds import CLASSES, MEASURES, MeasureOptions
from nas.eval.measures.measuring import check_measures, measure, measure_passes, measure_ticks

__all__ = [
    "CLASSES",
    "MEASURES",
    "MeasureOptions",
    "check_measures",
    "measure",
    "measure_passes",
    "measure_ticks",
]
