"""Standard and adversarial training of the networks that a search found."""

from nas.train.settings import TrainSettings
from nas.train.trained import TrainedNetwork, load_trained
from nas.train.training import check_recipe, train

__all__ = ["TrainSettings", "TrainedNetwork", "check_recipe", "load_trained", "train"]
