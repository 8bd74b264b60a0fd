"""The networks of a search space at one size: how to build them, and their cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.search_spaces import SPACES, BuildSettings, Cost, Network, SearchSpace
from nas.train import TrainedNetwork, TrainSettings, adversarial
from nas.train.trained_network import without_auxiliary

MAX_LEAST = 16  # the largest least number of channels or cells that a space may require


@dataclass(frozen=True)
class NetworkSpec:
    """The networks of one space with the same `settings`, for images of one size and a number of classes."""

    space_name: str
    settings: BuildSettings
    num_classes: int
    image_size: int

    @cached_property
    def space(self) -> SearchSpace[Any]:
        return SPACES.get(self.space_name)()

    @cached_property
    def thinnest(self) -> NetworkSpec:
        """The same networks with as few channels, cells and blocks as the settings of the space allow."""
        settings = dict(self.settings)
        for key in [key for key in settings if re.match("channels|cells|blocks", key)]:
            given = settings[key]
            for least in range(1, 1 + (int(given) if given else MAX_LEAST)):
                try:
                    self.space.ScoringSettings(**{**settings, key: least}).check()
                except InputError:
                    continue
                settings[key] = least
                break
        return replace(self, settings=settings)

    def connected(self, arch: Any) -> bool:
        """Whether the logits of the architecture's network depend on the image."""
        return self.space.connected(arch, **self.settings)

    def build(self, arch: Any, **more: Any) -> Network:
        """The architecture's network, with new weights."""
        return self.space.build(arch, self.num_classes, **self.settings, **more)

    def cost(self, arch: Any) -> Cost:
        """Weights and MACs, counted as in the literature: without an auxiliary head."""
        settings = without_auxiliary(self.settings)
        return self.space.cost(arch, self.num_classes, image_size=self.image_size, **settings)

    @cached_property
    def largest(self) -> Cost:
        """The cost of the largest architecture of the space."""
        return self.cost(self.space.largest())

    def trained_by(
        self, recipe: TrainSettings, name: str, text: str, dataset: Dataset, data: Mapping[str, Any]
    ) -> TrainedNetwork:
        """The network called `name` of the architecture `text`, as the recipe trains it on the data set.

        `data` are the settings of the data set.
        """
        return TrainedNetwork(
            name,
            self.space_name,
            text,
            self.settings,
            dataset.num_classes,
            dataset.image_size,
            list(dataset.mean),
            list(dataset.std),
            dict(data),
            recipe.method,
            recipe.eps if adversarial(recipe.method) else 0.0,
            list(dataset.classes),
        )
