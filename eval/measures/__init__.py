"""What is measured of a trained network on test images besides its accuracies, by name."""

from nas.eval.measures.measuring import CLASSES, MEASURES, check_measures, measure, measure_passes, measure_ticks

__all__ = ["CLASSES", "MEASURES", "check_measures", "measure", "measure_passes", "measure_ticks"]
