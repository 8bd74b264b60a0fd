"""Score architectures by proxies: the objective of a search and the work of `nas score`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nas.core.data import Dataset
from nas.core.errors import InputError, NasError
from nas.core.images import unit_range
from nas.core.seeds import derive, seeded
from nas.search_spaces import SPACES, Cost
from nas.strategies import Goal
from nas.strategies.proxies import PROXIES, Proxy
from nas.strategies.proxies.probe import Probe
from nas.train.trained import without_auxiliary


@dataclass(frozen=True)
class Sized:
    """A kind of network of one space: its settings, and the data it is made for."""

    space: str
    settings: dict[str, Any]
    num_classes: int
    image_size: int

    def cost(self, arch: Any) -> Cost:
        """Weights and MACs, as the field counts them: without an auxiliary head."""
        settings = without_auxiliary(self.settings)
        return SPACES.get(self.space)().cost(arch, self.num_classes, image_size=self.image_size, **settings)


class Scorer:
    """Proxy values of one architecture after the other, all on the same batch of real images.

    The batch is drawn from the training part by the run's seed; each network's weights by the seed and its
    architecture, so a value does not depend on what was scored before or where. Channels are last in memory.
    """

    def __init__(
        self,
        names: list[str],
        options: dict[str, Any],
        dataset: Dataset,
        scored: Sized,
        trained: Sized,
        seed: int,
        device: torch.device,
    ) -> None:
        self.proxies: list[Proxy] = [PROXIES.get(name) for name in names]
        self.options = options
        self.scored = scored
        self.trained = trained
        self.mean, self.std = dataset.mean, dataset.std
        self.seed = seed
        self.device = device
        self.images, self.labels = self._batch(dataset)

    def _batch(self, dataset: Dataset) -> tuple[Tensor, Tensor]:
        size = max([getattr(self.options[proxy.name], "batch_size", 0) for proxy in self.proxies])
        if size > len(dataset.train):
            raise InputError(
                f"Expected a proxy batch of at most {len(dataset.train)} images (the training part) but got {size}; "
                "lower the proxy's batch_size."
            )
        generator = torch.Generator().manual_seed(derive(self.seed, "proxy batch"))
        chosen = torch.randperm(len(dataset.train), generator=generator)[:size]
        return (
            unit_range(dataset.train.images[chosen]).to(self.device),
            dataset.train.labels[chosen].to(self.device),
        )

    def goal(self, name: str) -> Goal:
        return Goal(name, PROXIES.get(name).higher_is_better)

    def __call__(self, text: str) -> dict[str, float]:
        """Value of each proxy for the architecture written as `text`."""
        space = SPACES.get(self.scored.space)()
        arch = space.parse(text)
        probes: dict[int, Probe] = {}
        scores = {}
        for proxy in self.proxies:
            options = self.options[proxy.name]
            if proxy.needs == "cost":
                value = proxy(self.trained.cost(arch), options)
            else:
                if not probes:
                    with seeded(derive(self.seed, "proxy weights", arch)):
                        network = space.build(
                            arch,
                            self.scored.num_classes,
                            mean=self.mean,
                            std=self.std,
                            **self.scored.settings,
                        )
                    network.to(self.device).to(memory_format=torch.channels_last)
                if options.batch_size not in probes:
                    n = options.batch_size
                    probes[n] = Probe(network, self.images[:n], self.labels[:n])
                with seeded(derive(self.seed, "proxy", proxy.name, arch)):
                    value = proxy(probes[options.batch_size], options)
            if not math.isfinite(value):
                raise NasError(f"The proxy {proxy.name} of {text} is {value}; its values left the range of floats.")
            scores[proxy.name] = value
        return scores
