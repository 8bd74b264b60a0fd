"""The contract of a search that trains a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from nas.core.config.conditions import Condition
from nas.core.data import Dataset
from nas.core.seeds import derive, seeded
from nas.results import SupernetEpoch
from nas.search_spaces.base import BuildSettings, SearchSpace
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.options import BilevelOptions


class SupernetStrategy(Bilevel):
    """A search that learns all architectures of a space at once, in one network.

    Lifetime: the search makes one per run, with the settings of the space's `supernet`, and calls `step()` until
    `done`; each is one epoch and returns its row of the log. Between steps it may save `state_dict()`; a new strategy
    of the same space, data, seed and options that loads it continues the same run to the same result. `result()` may
    be asked at any time. A `NasError` means that the loss diverged; the last saved state is still good.

    A concrete strategy is a name and a dataclass of options, `BilevelOptions` with other defaults.
    """

    name: ClassVar[str]
    Options: ClassVar[type[BilevelOptions]]
    conditions: ClassVar[Mapping[str, Condition]] = {}  # which options act only with others

    def __init__(
        self,
        space: SearchSpace[Any],
        dataset: Dataset,
        seed: int,
        options: BilevelOptions | None = None,
        settings: BuildSettings | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """`settings`: keyword arguments of `space.supernet` (fields of `space.SupernetSettings`)."""
        with seeded(derive(seed, "supernet")):
            supernet = space.supernet(dataset.num_classes, mean=dataset.mean, std=dataset.std, **(settings or {}))
        super().__init__(supernet, dataset, options if options is not None else self.Options(), seed, device)

    def step(self) -> SupernetEpoch:
        """One epoch."""
        return self.epoch()
