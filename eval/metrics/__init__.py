"""Metrics: accuracies, also by class, calibration, the harmonic robustness score, the worst case over attacks."""

from nas.eval.metrics.calibration_error import Calibration, calibration
from nas.eval.metrics.classes import by_class
from nas.eval.metrics.scores import accuracy, hrs, worst_case

__all__ = ["Calibration", "accuracy", "by_class", "calibration", "hrs", "worst_case"]
