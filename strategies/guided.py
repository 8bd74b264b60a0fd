"""Predictor-guided search, with any predictor from features of architectures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nas.core.config.conditions import Condition, chosen
from nas.core.io.checkpoint import State
from nas.strategies.acquisition import acquisition, check_acquisition, expected_improvement
from nas.strategies.pool import SAMPLED, Features, PoolOptions, PoolStrategy
from nas.strategies.predictors import PREDICTORS, Predictor

RULES = 2  # version of the rules by which proposals are made; releases before 0.2.0 had version 1


@dataclass
class GuidedOptions(PoolOptions):
    predictor: str = "forest"  # from `nas list predictors`
    acquisition: str = "ucb"  # or ei, mean, thompson
    kappa: float = 0.5  # of ucb: mean + kappa · sd
    init: int = 20  # random architectures at the start

    def check(self) -> None:
        PREDICTORS.get(self.predictor)
        check_acquisition(self.acquisition)
        super().check()


class Guided(PoolStrategy):
    """Proposes the candidates that a predictor, fitted to the features and fitness of all observations, prefers.

    In a small space every class not proposed yet is a candidate; in a larger one, mutations of the best observed and
    random architectures. `nas.strategies.acquisition` has the acquisition functions of a prediction (mean, sd). An
    architecture that lacks the value of a feature (NaN) is no candidate, and the predictor does not learn from it.
    Source: after White et al., NeurIPS 2021 (arXiv:2104.01177), who compare predictors inside such a search; the
    defaults were chosen on the robustness dataset.

    A state saved by a version before 0.2.0 continues by that version's rules: the expected improvement instead of its
    logarithm, and 0 for a feature without a value.
    """

    name: ClassVar[str] = "guided"
    references: ClassVar[tuple[str, ...]] = ("white2021predictors",)
    Options: ClassVar[type] = GuidedOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        "kappa": chosen("strategy", "acquisition", "ucb"),
        "candidates": SAMPLED,
        "parents": SAMPLED,
    }
    uses: ClassVar[frozenset[str]] = frozenset({"features"})

    def begin(self) -> None:
        super().begin()
        self.rules = RULES

    def _encoder(self) -> Features:
        assert self.hints.features is not None
        return self.hints.features

    def _filled(self, features: np.ndarray) -> np.ndarray:
        """Features by the rules of this search: a missing value is NaN, or 0 in a search of an older version."""
        return features if self.rules > 1 else np.nan_to_num(features)

    def _model(self, seed: int) -> Predictor:
        return PREDICTORS.get(self.options.predictor)(seed)

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        options = self.options
        if options.acquisition == "ei" and self.rules == 1:
            return expected_improvement(mean, sd, best)
        return acquisition(options.acquisition, mean, sd, best, options.kappa, noise)

    def state_dict(self) -> State:
        return {**super().state_dict(), "rules": self.rules}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.rules = state.get("rules", 1)  # not saved by versions before 0.2.0
