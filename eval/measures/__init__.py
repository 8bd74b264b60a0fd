"""What is measured of a trained network on test images besides its accuracies, by name."""

from nas.eval.measures.measuring import MEASURES, check_measures, measure, measure_passes, measure_ticks

__all__ = ["MEASURES", "check_measures", "measure", "measure_passes", "measure_ticks"]
