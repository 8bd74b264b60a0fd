"""Bayesian optimisation: a Gaussian process on the distance between cells, and the expected improvement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nas.core.config.conditions import Condition, chosen
from nas.strategies.acquisition import acquisition, check_acquisition
from nas.strategies.pool import SAMPLED, PoolOptions, PoolStrategy
from nas.strategies.predictors import Predictor
from nas.strategies.predictors.gaussian_process import GaussianProcess, GaussianProcessOptions


@dataclass
class BOOptions(PoolOptions):
    acquisition: str = "ei"  # or ucb, mean, thompson
    kappa: float = 0.5  # of ucb: mean + kappa · sd
    length: float = 3.0  # edges in which two cells differ whose values are correlated by 1/e
    noise: float = 0.01  # variance of the noise, as a part of the variance of the observations

    def check(self) -> None:
        super().check()
        check_acquisition(self.acquisition)
        self.process().check()

    def process(self) -> GaussianProcessOptions:
        return GaussianProcessOptions(self.length, self.noise)


class BO(PoolStrategy):
    """Proposes the candidates of the largest acquisition by a Gaussian process on the adjacency distance.

    The kernel is exp(-d/3), d the number of edges in which two cells differ; in a space without cells d is that of its
    standardised features. The acquisition is the logarithm of the expected improvement, or mean + kappa·sd.
    Source: the baseline of White et al., AAAI 2021 (arXiv:1910.11858), with the distance and length scale of their
    release (naszilla), and its 10 random architectures and 10 in each round. The release proposes by UCB.
    """

    name: ClassVar[str] = "bo"
    references: ClassVar[tuple[str, ...]] = ("rasmussen2006gaussian", "white2021bananas")
    Options: ClassVar[type] = BOOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "kappa": chosen("strategy", "acquisition", "ucb"),
        "candidates": SAMPLED,
        "parents": SAMPLED,
    }

    def _model(self, seed: int) -> Predictor:
        return GaussianProcess(seed, self.options.process())

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        return acquisition(self.options.acquisition, mean, sd, best, self.options.kappa, noise)
