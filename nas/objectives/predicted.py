"""The objective `predicted`: the prediction of a predictor that learned from labelled architectures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nas.core.config import path_field
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.core.storage.base import Metrics
from nas.objectives.labels import read_labels
from nas.objectives.notation import PREDICTED
from nas.search_spaces import SPACES
from nas.strategies.predictors import PREDICTORS, Predictor


@dataclass
class PredictedSettings:
    """The predictor behind the objective `predicted`, and its labelled architectures."""

    model: str = "auto"  # `nas list predictors`
    labels: str | None = path_field()  # CSV of architectures (column arch or arch_str) and their metric
    accuracy: str | None = None  # the metric's column, if the file has several


class Predicted:
    """Predicts the metric of an architecture from its graph features; higher is better.

    Raises InputError if no labelled architectures are given.
    """

    def __init__(self, settings: PredictedSettings, space: str, seed: int) -> None:
        if settings.labels is None:
            raise InputError("Expected labelled architectures for search.objective=predicted; set predicted.labels.")
        self.kind = PREDICTORS.get(settings.model)
        self.space = SPACES.get(space)()
        self.labels = read_labels(Path(settings.labels), self.space, settings.accuracy)
        self.seed = seed

    @cached_property
    def model(self) -> Predictor:
        features = np.stack([self.space.features(self.space.parse(text)) for text, _ in self.labels])
        targets = np.array([value for _, value in self.labels])
        return self.kind(derive(self.seed, "predicted")).fit(features, targets)

    def __call__(self, text: str) -> Metrics:
        features = self.space.features(self.space.parse(text))[None]
        return {PREDICTED: float(self.model.predict(features).mean[0])}
