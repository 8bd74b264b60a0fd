"""Predictors, which learn a metric from a few measured architectures and predict it for others."""

from nas.core.registry import Registry, is_concrete_subclass
from nas.strategies.predictors.base import Prediction, Predictor

PREDICTORS: Registry[type[Predictor]] = Registry(
    "predictor", "nas.strategies.predictors", "nas.predictors", is_concrete_subclass(Predictor)
)

__all__ = ["PREDICTORS", "Prediction", "Predictor"]
