"""What is reported: accuracies with intervals, scores, paired differences, calibration, accuracies by class."""

from nas.eval.metrics.classes import by_class
from nas.eval.metrics.confidence import Calibration, calibration
from nas.eval.metrics.intervals import wilson
from nas.eval.metrics.paired import (
    SIGNIFICANCE,
    Bootstrapped,
    Paired,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_difference,
)
from nas.eval.metrics.scores import hrs, worst_case

__all__ = [
    "SIGNIFICANCE",
    "Bootstrapped",
    "Calibration",
    "Paired",
    "by_class",
    "calibration",
    "holm",
    "hrs",
    "mcnemar",
    "paired_bootstrap",
    "paired_difference",
    "wilson",
    "worst_case",
]
