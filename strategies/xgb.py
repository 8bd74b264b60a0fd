"""Search with gradient-boosted trees that see which operation each edge has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nas.core.config.conditions import Condition
from nas.strategies.pool import SAMPLED, PoolOptions, PoolStrategy
from nas.strategies.predictors import Predictor
from nas.strategies.predictors.boosted_trees import BoostedTrees, BoostedTreesOptions


@dataclass
class XGBOptions(PoolOptions):
    """The settings of the trees, and of the rounds, as in the source."""

    rounds: int = 500  # trees, one after the other
    depth: int = 6  # of each tree
    eta: float = 0.3  # learning rate
    init: int = 16  # random architectures at the start
    batch: int = 16  # proposed between two fits

    def check(self) -> None:
        super().check()
        self.trees("squared").check()

    def trees(self, loss: str) -> BoostedTreesOptions:
        return BoostedTreesOptions(self.rounds, self.depth, self.eta, loss)


class XGB(PoolStrategy):
    """Proposes the candidates for which gradient-boosted trees predict most; they are fitted to all observations.

    The trees see the adjacency encoding of the cells, or the features of a space that has no such encoding. They are
    xgboost's where it is installed and scikit-learn's otherwise, which give other numbers: the result names the
    library, and a search that is resumed needs the one with which it began.
    Source: the baseline XGB of Lukasik et al., ECCV 2022 (arXiv:2203.08734). There the candidates come from a
    generator; here they are all of a small space, or mutations of the best and random architectures.
    """

    name: ClassVar[str] = "xgb"
    references: ClassVar[tuple[str, ...]] = ("chen2016xgboost", "lukasik2022agnet")
    Options: ClassVar[type] = XGBOptions
    conditions: ClassVar[Mapping[str, Condition]] = {"candidates": SAMPLED, "parents": SAMPLED}
    loss: ClassVar[str] = "squared"

    def _model(self, seed: int) -> Predictor:
        return BoostedTrees(seed, self.options.trees(self.loss))

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        return mean


class XGBRank(XGB):
    """The strategy `xgb` with trees that learn the order of the observations, by a loss of pairs, and not their values.

    Source: the baseline XGB + ranking of Lukasik et al., ECCV 2022 (arXiv:2203.08734).
    """

    name: ClassVar[str] = "xgb-rank"
    loss: ClassVar[str] = "pairwise"

    def _limit_model(self, seed: int) -> Predictor:
        return BoostedTrees(seed, self.options.trees("squared"))  # a limit is a value, and the order does not tell it
