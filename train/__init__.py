"""Standard and adversarial training of the networks that a search found."""

from nas.train.methods import METHODS, adversarial
from nas.train.settings import TrainSettings
from nas.train.trained_network import TrainedNetwork, load_trained
from nas.train.training import check_parts, check_recipe, check_selection, large_batch_note, train

__all__ = [
    "METHODS",
    "TrainSettings",
    "TrainedNetwork",
    "adversarial",
    "check_parts",
    "check_recipe",
    "check_selection",
    "large_batch_note",
    "load_trained",
    "train",
]
