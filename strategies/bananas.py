"""BANANAS: Bayesian optimisation with an ensemble of networks over path encodings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.base import SearchSpace
from nas.strategies.model_based import ModelBasedStrategy
from nas.strategies.option_error import OptionError
from nas.strategies.predictors.base import Predictor
from nas.strategies.predictors.networks import Networks, NetworksOptions
from nas.strategies.predictors.paths import LONGEST, encode


@dataclass
class BananasOptions:
    """The settings of the authors' release, naszilla."""

    init: int = 10  # random architectures at the start
    batch: int = 10  # k, proposed between two fits
    candidates: int = 100  # mutations of each parent; once this many are new, no further parent is mutated
    parents: int = 5  # largest number of parents; the best observed come first
    random: int = 0  # further candidates, drawn at random
    longest: int = LONGEST  # operations of the longest path that is encoded
    members: int = 5  # networks of the ensemble
    layers: int = 10  # hidden layers of each network
    width: int = 20  # units of each layer
    epochs: int = 150  # passes over the labelled architectures in each fit

    def check(self) -> None:
        for key in ("init", "batch", "candidates", "parents", "longest"):
            if getattr(self, key) < 1:
                raise OptionError(f"Expected {key} >= 1 but got {getattr(self, key)}", key)
        if self.random < 0:
            raise OptionError(f"Expected random >= 0 but got {self.random}", "random")
        self.networks().check()

    def networks(self) -> NetworksOptions:
        return NetworksOptions(self.members, self.layers, self.width, self.epochs)


class Bananas(ModelBasedStrategy[Any]):
    """Mutates the best observed and proposes the mutations with the best draws from N(mean, sd) of an ensemble.

    Source: White, Neiswanger and Savani, AAAI 2021 (arXiv:1910.11858), algorithm 1: path encoding, ensemble of
    networks, independent Thompson sampling; candidates and settings as in the authors' release (naszilla): 100
    mutations of the best and, while fewer than 100 of them are new, of the next best (up to five). A mutation
    is one elementary change of the space (the release changes each edge of NAS-Bench-201 with probability 1/4).
    """

    name: ClassVar[str] = "bananas"
    references: ClassVar[tuple[str, ...]] = ("white2021bananas",)
    Options: ClassVar[type] = BananasOptions
    space: SearchSpace[Any]

    def begin(self) -> None:
        super().begin()
        if not hasattr(self.space, "edges"):
            raise InputError(
                f"Expected a space of cells for strategy.name={self.name} but {type(self.space).__name__} has no edges "
                "to encode; take strategy.name=evolution."
            )

    def _candidates(self) -> tuple[list[Any], np.ndarray]:
        options = self.options
        candidates = self._mutations(self._ranking()[: options.parents], options.candidates, options.candidates)
        for _ in range(options.random):
            arch = self._random({**self.asked, **dict.fromkeys(candidates)})
            candidates.setdefault(self._key(arch), arch)
        archs = list(candidates.values())
        return archs, self._features(archs)

    def _features(self, archs: list[Any]) -> np.ndarray:
        """(n, columns): path encodings, or the features of the space where `edges` do not say everything."""
        classes = [self._class(arch) for arch in archs]
        if self.space.cells:
            return encode(getattr(self.space, "whole", self.space), classes, self.options.longest)
        return np.stack([self.space.features(arch) for arch in classes])

    def _model(self, seed: int) -> Predictor:
        return Networks(seed, self.options.networks())

    def _acquisition(self, mean: np.ndarray, sd: np.ndarray, best: float, noise: np.random.Generator) -> np.ndarray:
        return noise.normal(mean, sd)
