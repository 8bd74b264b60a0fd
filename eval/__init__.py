"""Attack evaluation: attacks from the field's libraries, accuracies with intervals, the harmonic robustness score."""

from nas.eval.attacks import ATTACKS, Attack
from nas.eval.evaluation import evaluate
from nas.eval.metrics import Paired, hrs, paired_difference, wilson
from nas.eval.settings import EvalSettings

__all__ = ["ATTACKS", "Attack", "EvalSettings", "Paired", "evaluate", "hrs", "paired_difference", "wilson"]
