"""P-DARTS: three stages in deeper and deeper supernets, with fewer operations, and with dropout on skip connections.

Source: Chen et al., Progressive Differentiable Architecture Search, ICCV 2019 (arXiv:1904.12760), and its release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch

from nas.core.config.conditions import Condition
from nas.core.errors import InputError
from nas.search_spaces.base import BuildSettings
from nas.strategies.supernet.compared.staged import StagedOptions, StagedSearch, learning_rate_of_stage
from nas.strategies.supernet.mixing.skip_dropout import decayed_rate
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions


@dataclass
class PDARTSOptions(StagedOptions):
    """Three stages of 25 epochs, ten of each without α, for CIFAR-10."""

    epochs: int = 75  # of all stages together
    warm_up: int = 10
    batch_size: int = 96
    stage_operations: list[int] = field(default_factory=lambda: [5, 3])
    stage_cells: list[int] = field(default_factory=lambda: [5, 11, 17])  # cells in a row, in place of supernet.cells
    stage_skip_dropout: list[float] = field(default_factory=lambda: [0.1, 0.4, 0.7])  # of skip connections, at first
    max_skips: int | None = 2  # skip connections in the derived normal cell; null: any number
    lr_min: float = 0.0
    alpha_lr: float = 6e-4

    def check(self) -> None:
        super().check()
        self.check_lengths(stage_cells=self.stage_cells, stage_skip_dropout=self.stage_skip_dropout)
        if not all(0 <= rate < 1 for rate in self.stage_skip_dropout):
            raise InputError(
                f"Expected strategy.stage_skip_dropout of 0 or more and below 1 but got {self.stage_skip_dropout}."
            )
        self.check_between({"max_skips": (0, 1_000_000)})


class PDARTS(StagedSearch):
    """Each stage is deeper and has fewer operations on an edge (Chen et al., ICCV 2019, arXiv:1904.12760).

    The weights and α of a stage begin anew. Only for spaces whose supernet has a number of cells.
    """

    name: ClassVar[str] = "p-darts"
    published_cost: ClassVar[str | None] = ".3 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("chen2019pdarts",)
    Options: ClassVar[type[BilevelOptions]] = PDARTSOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        **CONDITIONS,
        "skip_dropout": Condition(
            lambda options, space: False, "with strategy.name=p-darts, which has strategy.stage_skip_dropout"
        ),
        "compile": Condition(
            lambda options, space: not all(options.stage_skip_dropout),
            "with strategy.stage_skip_dropout in every stage, which draws new numbers in each pass",
        ),
    }
    options: PDARTSOptions

    def changes(self, stage: int) -> BuildSettings:
        return {"cells": self.options.stage_cells[stage]}

    def skip_dropout(self, epoch: int) -> float:
        """The rate begins anew in each stage."""
        stage, options = self.stage_of(epoch), self.options
        return decayed_rate(
            options.stage_skip_dropout[stage], self.epoch_in_stage(epoch), self.length_of_stage(stage), options.warm_up
        )

    def set_learning_rate(self, step: int) -> None:
        for group in self.weight_optimizer.param_groups:
            group["lr"] = learning_rate_of_stage(self, step)

    def derived(self) -> tuple[str, dict[str, int]]:
        """The usual rule; then derived skip connections of the first cell are forbidden, the weakest first, until
        there are few enough."""
        most, m = self.options.max_skips, self.supernet
        cell, column = next(iter(m.alphas)), m.operations.index("skip_connect")
        if most is None:
            return super().derived()
        strengths = m.strengths()[cell].detach()[:, column]
        m.forbidden = {name: torch.zeros_like(alpha, dtype=torch.bool) for name, alpha in m.alphas.items()}
        while m.skips()[cell] > most:
            there = m.path(m.derive())[cell][:, column].to(strengths.device) > 0
            m.forbidden[cell][strengths.masked_fill(~there, 2.0).argmin(), column] = True
        found = super().derived()
        m.forbidden = None
        return found
