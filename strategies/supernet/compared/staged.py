"""Searches in stages: each goes on in another supernet, with the operations that the one before left on each edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.core.io.checkpoint import State
from nas.core.optimisation.lr_schedule import cosine
from nas.search_spaces.base import BuildSettings
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.base import Levels, Phase
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.variants import DARTSOptions


@dataclass
class StagedOptions(DARTSOptions):
    """All stages have the same number of epochs; the warm-up is at the beginning of each of them."""

    stage_operations: list[int] = field(default_factory=list)  # left on each edge, when each stage but the first begins

    @property
    def stages(self) -> int:
        return len(self.stage_operations) + 1

    @property
    def stage_epochs(self) -> int:
        """The epochs of every stage but the last, which also has those that are left over."""
        return self.epochs // self.stages

    def check(self) -> None:
        super().check()
        counts = self.stage_operations
        if min(counts, default=2) < 2 or any(after > before for before, after in pairwise(counts)):
            raise InputError(
                f"Expected strategy.stage_operations of 2 or more that do not rise but got {counts}; leave fewer "
                "operations in each later stage."
            )
        if self.epochs < self.stages:
            raise InputError(
                f"Expected strategy.epochs >= {self.stages}, the number of stages, but got {self.epochs}; train longer."
            )

    def check_lengths(self, **lists: list[Any]) -> None:
        """Raises InputError unless each list has a value for each stage."""
        for name, values in lists.items():
            if len(values) != self.stages:
                raise InputError(
                    f"Expected strategy.{name} with {self.stages} values, one more than strategy.stage_operations has, "
                    f"but got {values}; give each stage one."
                )


class StagedSearch(Bilevel):
    """The bilevel search, stage by stage.

    At the end of a stage, the operations with the largest α of each edge stay (of equal ones the first). A variant says
    how the supernet of a stage differs (`changes`) and what it inherits from that of the stage before (`inherit`).
    """

    options: StagedOptions

    def stage_of(self, epoch: int) -> int:
        """The stage of an epoch, both counted from 0."""
        return min(epoch // self.options.stage_epochs, self.options.stages - 1)

    def epoch_in_stage(self, epoch: int) -> int:
        return epoch - self.stage_of(epoch) * self.options.stage_epochs

    def length_of_stage(self, stage: int) -> int:
        options = self.options
        last = stage == options.stages - 1
        return options.epochs - stage * options.stage_epochs if last else options.stage_epochs

    def changes(self, stage: int) -> BuildSettings:
        """The arguments of `space.supernet` that differ in a stage."""
        return {}

    def new_supernet(self, *labels: object, **changes: Any) -> Supernet:
        return super().new_supernet(*labels, **{**self.changes(0), **changes})

    def inherit(self, supernet: Supernet, before: Supernet) -> None:
        """Let the supernet of a new stage take over from the one before; by default nothing but its operations."""

    def train_epoch(self, epoch: int) -> Levels:
        stage = self.stage_of(epoch)
        if stage != self.stage_of(max(epoch - 1, 0)):
            self.enter(stage, self.best_kept(self.options.stage_operations[stage - 1]))
        return super().train_epoch(epoch)

    def enter(self, stage: int, kept: dict[str, Tensor] | None) -> None:
        """Go on in the supernet of a stage, with the operations that are kept, and with new optimisers."""
        before, supernet = self.supernet, self.new_supernet(*([stage] if stage else []), **self.changes(stage))
        self.inherit(supernet, before)
        self.install(supernet)
        supernet.kept = kept
        self.settle()

    def best_kept(self, count: int) -> dict[str, Tensor]:
        """The `count` operations of each edge with the largest α among those that are kept now."""
        found = {}
        for name, probability in self.supernet.probabilities().items():
            order = probability.detach().sort(dim=1, descending=True, stable=True).indices[:, :count]
            found[name] = torch.zeros_like(probability, dtype=torch.bool).scatter_(1, order, True)
            if self.supernet.kept is not None:
                found[name] &= self.supernet.kept[name]
        return found

    def searches(self, epoch: int) -> bool:
        return self.epoch_in_stage(epoch) >= self.options.warm_up

    def phases(self) -> Iterator[Phase]:
        """A phase is a stage."""
        for stage in range(self.options.stages):
            if stage:
                self.enter(stage, self.best_kept(self.options.stage_operations[stage - 1]))
            epochs = [epoch for epoch in range(self.options.epochs) if self.stage_of(epoch) == stage]
            passes = self.steps_per_epoch * sum(map(self.passes_of_step, epochs))
            yield Phase(passes, self.penalised_steps(epochs))

    def state_dict(self) -> State:
        return {**super().state_dict(), "kept": self.supernet.kept}

    def load_state_dict(self, state: State) -> None:
        kept = state["kept"]
        moved = None if kept is None else {name: one.to(self.device) for name, one in kept.items()}
        self.enter(self.stage_of(max(state["epochs_done"] - 1, 0)), moved)
        super().load_state_dict(state)


def learning_rate_of_stage(search: StagedSearch, step: int) -> float:
    """A cosine that begins anew in every stage."""
    epoch, within = divmod(step, search.steps_per_epoch)
    total = search.length_of_stage(search.stage_of(epoch)) * search.steps_per_epoch
    done = search.epoch_in_stage(epoch) * search.steps_per_epoch + within
    return cosine(done, total, search.options.lr, search.options.lr_min)
