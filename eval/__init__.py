"""Evaluation of networks: accuracies under attacks, with intervals, and the harmonic robustness score (HRS)."""

from nas.core.statistics.intervals import wilson
from nas.core.statistics.paired import Paired, mcnemar, paired_bootstrap, paired_difference
from nas.eval.attacks import ATTACKS, Attack
from nas.eval.evaluation import evaluate
from nas.eval.metrics import hrs, worst_case
from nas.eval.settings import EvalSettings

__all__ = [
    "ATTACKS",
    "Attack",
    "EvalSettings",
    "Paired",
    "evaluate",
    "hrs",
    "mcnemar",
    "paired_bootstrap",
    "paired_difference",
    "wilson",
    "worst_case",
]
