"""DrNAS: weights of operations from Dirichlet distributions, and two stages with fewer operations and more channels.

Source: Chen et al., DrNAS: Dirichlet Neural Architecture Search, ICLR 2021 (arXiv:2006.10355), with the settings of its
release for the space of DARTS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from nas.core.config.conditions import Condition
from nas.core.errors import InputError
from nas.search_spaces.base import BuildSettings
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.compared.staged import StagedOptions, StagedSearch
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions


@dataclass
class DrNASOptions(StagedOptions):
    """Two stages of 25 epochs, ten of each without α: all operations in 1/6 of the channels, then 4 in a quarter."""

    epochs: int = 50  # of all stages together; the cosine of the learning rate goes over all of them
    warm_up: int = 10
    mixture: str = "dirichlet"
    mix_none: bool = False
    stage_operations: list[int] = field(default_factory=lambda: [4])
    stage_partial: list[int] = field(default_factory=lambda: [6, 4])  # 1/K of the channels is mixed, stage by stage
    lr: float = 0.1
    lr_min: float = 0.0
    alpha_lr: float = 6e-4

    def check(self) -> None:
        super().check()
        self.check_lengths(stage_partial=self.stage_partial)
        if min(self.stage_partial) < 1:
            raise InputError(f"Expected strategy.stage_partial of 1 or more but got {self.stage_partial}.")


class DrNAS(StagedSearch):
    """The weights of operations are drawn from Dirichlet(elu(α) + 1) (Chen et al., ICLR 2021, arXiv:2006.10355).

    In a new stage a wider supernet repeats the channels of the one before, and α stays.
    """

    name: ClassVar[str] = "drnas"
    published_cost: ClassVar[str | None] = "46,857 s on an RTX 3090 (Ha et al. 2023, table 3)"
    references: ClassVar[tuple[str, ...]] = ("chen2021drnas",)
    Options: ClassVar[type[BilevelOptions]] = DrNASOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        **CONDITIONS,
        "partial": Condition(
            lambda options, space: False, "with strategy.name=drnas, which has strategy.stage_partial"
        ),
    }
    options: DrNASOptions

    def changes(self, stage: int) -> BuildSettings:
        return {"partial": self.options.stage_partial[stage]}

    def inherit(self, supernet: Supernet, before: Supernet) -> None:
        old = before.state_dict()
        with torch.no_grad():
            for name, value in supernet.state_dict().items():
                value.copy_(widened(old[name], value.shape))


def widened(weights: Tensor, shape: torch.Size) -> Tensor:
    """Weights with their first channels repeated (or cut) to a shape, as in Net2Net (arXiv:1511.05641).

    Input channels that are repeated share the weight, so that equal inputs give the same output.
    """
    for dim, size in enumerate(shape):
        before = weights.shape[dim]
        if size != before:
            chosen = torch.arange(size, device=weights.device) % before
            weights = weights.index_select(dim, chosen)
            if dim == 1:
                counts = torch.bincount(chosen, minlength=before)[chosen].to(weights.dtype)
                weights = weights / counts.view(1, -1, *(1,) * (weights.dim() - 2))
    return weights
