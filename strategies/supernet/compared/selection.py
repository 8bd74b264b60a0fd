"""DARTS-PT: a trained supernet chooses by what the removal of an operation costs, not by α.

Source: Wang et al., Rethinking Architecture Selection in Differentiable NAS, ICLR 2021 (arXiv:2108.04392), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from nas.core.config.conditions import Condition
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.io.checkpoint import State
from nas.core.logits import correct
from nas.core.optimisation.lr_schedule import cosine
from nas.search_spaces.supernet import Mixed, Supernet
from nas.strategies.supernet.base import Levels
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.compilation import uncompiled
from nas.strategies.supernet.options import CONDITIONS, BilevelOptions
from nas.strategies.supernet.variants import DARTSOptions

LOWER = 10  # the learning rate of the weights is divided by this between selections


@dataclass
class DARTSPTOptions(DARTSOptions):
    """`epochs` of DARTS, then selections of one edge (of every cell) with `tune_epochs` between two of them."""

    tune_epochs: int = 5  # both levels learn on between two selections; the weights at a tenth of the rate

    def check(self) -> None:
        super().check()
        self.check_at_least_one("tune_epochs")


class DARTSPT(Bilevel):
    """DARTS, then selection by perturbation instead of by α (Wang et al., ICLR 2021, arXiv:2108.04392).

    Edges are visited in a random order. An edge keeps the operation whose removal from the mixture costs most accuracy
    on α's half of the images. If cells have more edges than an architecture, each node then loses edges, always the one
    whose removal costs least. Of equal ones the first is taken. The last selection ends the search.
    """

    name: ClassVar[str] = "darts-pt"
    published_cost: ClassVar[str | None] = ".8 GPU-days (Zhu et al., table 1)"
    references: ClassVar[tuple[str, ...]] = ("wang2021dartspt",)
    Options: ClassVar[type[BilevelOptions]] = DARTSPTOptions
    conditions: ClassVar[Mapping[str, Condition]] = CONDITIONS
    options: DARTSPTOptions

    @property
    def total_epochs(self) -> int:
        return self.options.epochs + self.options.tune_epochs * (self.selections - 1)

    @property
    def selections(self) -> int:
        """How many edges, and nodes with too many edges, a cell has."""
        return len(self.supernet.edges) + len(self.crowded)

    @property
    def crowded(self) -> list[int]:
        """The nodes from which edges must be taken away."""
        nodes = [node for _, node in self.supernet.edges]
        return [node for node in dict.fromkeys(nodes) if nodes.count(node) > self.inputs_of_node]

    @property
    def inputs_of_node(self) -> int:
        """How many edges into a node an architecture has; of a space that keeps all edges, all."""
        m = self.supernet
        nodes = {node for _, node in m.edges}
        return m.derived_edges // len(nodes) if m.derived_edges < len(m.edges) else len(m.edges)

    def searches(self, epoch: int) -> bool:
        return epoch >= self.options.warm_up

    def set_learning_rate(self, step: int) -> None:
        tuned = step - self.options.epochs * self.steps_per_epoch
        if tuned < 0:
            super().set_learning_rate(step)
            return
        total, first = (self.total_epochs - self.options.epochs) * self.steps_per_epoch, self.options.lr / LOWER
        for group in self.weight_optimizer.param_groups:
            group["lr"] = cosine(tuned, total, first, min(self.options.lr_min, first))

    def train_epoch(self, epoch: int) -> Levels:
        levels = super().train_epoch(epoch)
        number, between = divmod(epoch + 1 - self.options.epochs, self.options.tune_epochs)
        if epoch + 1 >= self.options.epochs and between == 0:
            if number == 0:
                self.weight_optimizer.state.clear()  # a new optimiser
                everything = {n: torch.ones_like(a, dtype=torch.bool) for n, a in self.supernet.alphas.items()}
                self.supernet.kept = self.supernet.kept or everything
            for name in self.supernet.alphas:
                self.select(name, number)
            self.settle()
        return levels

    def select(self, cell: str, number: int) -> None:
        """Selection `number` of a cell: an operation on an edge, or the edges of a node."""
        m, edges = self.supernet, len(self.supernet.edges)
        order = self.generator("selection", cell)
        rows = torch.randperm(edges, generator=order, device=self.device).tolist()
        nodes = [
            self.crowded[i] for i in torch.randperm(len(self.crowded), generator=order, device=self.device).tolist()
        ]
        assert m.kept is not None
        kept = m.kept[cell]
        if number < edges:
            row = rows[number]
            there = [column for column in m.choices() if kept[row, column]]
            right = [self.correct_without(cell, row, column) for column in there]
            kept[row] = False
            kept[row, there[right.index(min(right))]] = True
            return
        into = [row for row, (_, node) in enumerate(m.edges) if node == nodes[number - edges]]
        while len(into) > self.inputs_of_node:
            right = [self.correct_without(cell, row, None) for row in into]
            kept[into.pop(right.index(max(right)))] = False

    @torch.no_grad()
    def correct_without(self, cell: str, row: int, column: int | None) -> int:
        """Correct images of α's half without one operation of an edge, or without the edge if `column` is None."""
        m = self.supernet
        mixed = m.mixed()
        weights = mixed[cell].weights.clone()
        weights[row, slice(None) if column is None else column] = 0
        rows = [one.copy() for one in mixed[cell].computed or (weights > 0).tolist()]
        rows[row] = [there and column is not None and at != column for at, there in enumerate(rows[row])]
        m.mixer, before = lambda name, alpha: Mixed(weights, rows) if name == cell else mixed[name], m.mixer
        images, labels = self.alpha_half.images, self.alpha_half.labels
        batches = self.selection_batches
        with uncompiled(m):
            count = sum(
                correct(m(unit_range(x)), y).sum()
                for x, y in zip(images.tensor_split(batches), labels.tensor_split(batches))
            )
        m.mixer = before
        return int(count)

    @property
    def selection_batches(self) -> int:
        """The batches of α's half, of nearly equal size, because a supernet normalises by the statistics of a batch."""
        return -(-len(self.alpha_half) // self.batch_size)

    def passes(self) -> int:
        """Including those of the selections, which have no backward pass."""
        steps = self.steps_per_epoch * sum(map(self.passes_of_step, range(self.total_epochs)))
        m, inputs = self.supernet, self.inputs_of_node
        nodes = [node for _, node in m.edges]
        removals = len(m.edges) * len(m.choices())
        removals += sum(sum(range(inputs + 1, nodes.count(node) + 1)) for node in self.crowded)
        return steps + len(m.alphas) * removals * self.selection_batches

    def state_dict(self) -> State:
        return {**super().state_dict(), "kept": self.supernet.kept}

    def load_state_dict(self, state: State) -> None:
        kept: dict[str, Tensor] | None = state["kept"]
        self.supernet.kept = None if kept is None else {name: one.to(self.device) for name, one in kept.items()}
        super().load_state_dict(state)

    def install(self, supernet: Supernet) -> None:
        super().install(supernet)
        if not supernet.edges:
            raise InputError(
                f"Expected a supernet that lists its edges for strategy.name={self.name} but that of {self.space.name} "
                "does not; take another strategy."
            )
