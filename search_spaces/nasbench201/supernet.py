"""The supernet of NAS-Bench-201: six edges with five operations each in every cell, one α for all cells."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell
from nas.search_spaces.nasbench201.network import Reduction
from nas.search_spaces.nasbench201.operations import AveragePool
from nas.search_spaces.network import RGB
from nas.search_spaces.partial_channels import check as check_share
from nas.search_spaces.partial_channels import mixed_part, node_sum
from nas.search_spaces.supernet import WHOLE, EdgePass, Supernet, batch_norm, batch_statistics, sum_of_computed


class State:
    """A node of a cell, and the tensors that all edges from it need, computed once."""

    def __init__(self, state: Tensor, pool: AveragePool, share: int = 1) -> None:
        self.state = state  # (B, C, H, W)
        self.x = mixed_part(state, share)  # the channels that pass through operations
        self.pool = pool
        self._rectified: Tensor | None = None
        self._pooled: Tensor | None = None

    @property
    def rectified(self) -> Tensor:
        if self._rectified is None:
            self._rectified = functional.relu(self.x)
        return self._rectified

    @property
    def pooled(self) -> Tensor:
        if self._pooled is None:
            self._pooled = self.pool(self.x)
        return self._pooled


class MixedEdge(nn.Module):
    """The sum of the operations of one edge, each times its probability."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_1x1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv_3x3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, state: State, probabilities: Tensor, how: EdgePass = WHOLE) -> Tensor | None:
        """`probabilities`: (5,), in the order of `OPERATIONS`. None if no operation is computed."""
        weights = probabilities.unbind()
        if how.computed is not None:
            return sum_of_computed(how.computed, lambda column: self.term(column, state, weights[column], how))
        _, of_skip, of_1x1, of_3x3, of_pool = weights
        total = batch_norm(self.conv_1x1(state.rectified), of_1x1)
        total = total + batch_norm(self.conv_3x3(state.rectified), of_3x3)
        skipped = state.x if how.skip_output is None else how.skip_output(state.x)
        total = torch.addcmul(total, skipped, of_skip)
        return torch.addcmul(total, state.pooled, of_pool)

    def term(self, column: int, state: State, weight: Tensor, how: EdgePass) -> Tensor:
        """One operation other than `none`, times its weight."""
        match OPERATIONS[column]:
            case "skip_connect":
                return weight * (state.x if how.skip_output is None else how.skip_output(state.x))
            case "nor_conv_1x1":
                return batch_norm(self.conv_1x1(state.rectified), weight)
            case "nor_conv_3x3":
                return batch_norm(self.conv_3x3(state.rectified), weight)
        return weight * state.pooled


class MixedCell(nn.Module):
    """Node 0 is the input, node j the sum of the edges from all earlier nodes, the output is node 3."""

    def __init__(self, channels: int, partial: int = 1) -> None:
        super().__init__()
        self.partial = partial
        self.pool = AveragePool(channels // partial)
        self.edges = nn.ModuleList(MixedEdge(channels // partial) for _ in EDGES)

    def forward(self, x: Tensor, probabilities: Tensor, how: list[EdgePass]) -> Tensor:
        states = [State(x, self.pool, self.partial)]
        rows = list(zip(self.edges, probabilities, how))
        for _ in range(3):
            factors, incoming = [], []
            into, rows = rows[: len(states)], rows[len(states) :]  # one edge from every node so far
            for state, (edge, row, one) in zip(states, into):
                incoming.append(edge(state, row, one))
                factors.append(one.factor)
            total = node_sum(incoming, [state.state for state in states], self.partial, factors, [1] * len(states))
            states.append(State(total, self.pool, self.partial))
        return states[3].state


class NASBench201Supernet(Supernet):
    """Stem, three stages of N mixed cells at C, 2C, 4C with reductions between; BN, ReLU, mean over pixels, linear."""

    operations: ClassVar[tuple[str, ...]] = OPERATIONS
    derived_edges: ClassVar[int] = len(EDGES)
    edges: ClassVar[tuple[tuple[int, int], ...]] = EDGES

    def __init__(
        self,
        num_classes: int,
        channels: int = 16,
        cells_per_stage: int = 5,
        allow_none: bool = False,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        partial: int = 1,
        edge_weights: bool = False,
    ) -> None:
        """`partial`: 1/partial of the channels are mixed. Raises InputError if the channels cannot be divided so."""
        check_share(channels, partial)
        super().__init__({"cell": len(EDGES)}, mean, std, edge_weights)
        self.allow_none = allow_none
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.blocks = nn.ModuleList()
        for stage in range(3):
            width = channels * 2**stage
            if stage:
                self.blocks.append(Reduction(width // 2))
            self.blocks.extend(MixedCell(width, partial) for _ in range(cells_per_stage))
        self.last = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, num_classes)
        batch_statistics(self)

    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            mixed = isinstance(block, MixedCell)
            x = block(x, probabilities["cell"], self.edge_passes["cell"]) if mixed else block(x)
        return self.classify(self.last(x))

    def derive(self) -> Cell:
        """For each edge the operation with the largest weight (the first of equals); `none` only if `allow_none`."""
        choices, rows = self.choices(), self.strengths()["cell"].tolist()
        return Cell(tuple(OPERATIONS[max(choices, key=row.__getitem__)] for row in rows))  # type: ignore[arg-type]

    def skips(self) -> dict[str, int]:
        return {"cell": self.derive().operations.count("skip_connect")}

    def choices(self) -> list[int]:
        return [0, *super().choices()] if self.allow_none else super().choices()  # column 0 is `none`

    def path(self, arch: Cell) -> dict[str, Tensor]:
        columns = torch.tensor([OPERATIONS.index(operation) for operation in arch.operations])
        return {"cell": functional.one_hot(columns, len(OPERATIONS)).float()}
