"""The supernet of NAS-Bench-201: six edges with five operations each in every cell, one α for all cells."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell
from nas.search_spaces.nasbench201.network import Reduction
from nas.search_spaces.nasbench201.operations import AveragePool
from nas.search_spaces.network import RGB
from nas.search_spaces.supernet import Supernet, batch_norm, batch_statistics


class State:
    """A node of a cell, and the tensors that all edges from it need, computed once."""

    def __init__(self, x: Tensor, pool: AveragePool) -> None:
        self.x = x  # (B, C, H, W)
        self.pool = pool

    @cached_property
    def rectified(self) -> Tensor:
        return functional.relu(self.x)

    @cached_property
    def pooled(self) -> Tensor:
        return self.pool(self.x)


class MixedEdge(nn.Module):
    """The sum of the operations of one edge, each times its probability."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_1x1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv_3x3 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, state: State, probabilities: Tensor) -> Tensor:
        """`probabilities`: (5,), in the order of `OPERATIONS`."""
        _, of_skip, of_1x1, of_3x3, of_pool = probabilities.unbind()
        total = batch_norm(self.conv_1x1(state.rectified), of_1x1)
        total = total + batch_norm(self.conv_3x3(state.rectified), of_3x3)
        total = torch.addcmul(total, state.x, of_skip)
        return torch.addcmul(total, state.pooled, of_pool)


class MixedCell(nn.Module):
    """Node 0 is the input, node j the sum of the edges from all earlier nodes, the output is node 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = AveragePool(channels)
        self.edges = nn.ModuleList(MixedEdge(channels) for _ in EDGES)

    def forward(self, x: Tensor, probabilities: Tensor) -> Tensor:
        states = [State(x, self.pool)]
        rows = zip(self.edges, probabilities)
        for _ in range(3):
            incoming = [edge(state, row) for state, (edge, row) in zip(states, rows)]  # one from every node so far
            states.append(State(sum(incoming[1:], incoming[0]), self.pool))
        return states[3].x


class NASBench201Supernet(Supernet):
    """Stem, three stages of N mixed cells at C, 2C, 4C with reductions between; BN, ReLU, mean over pixels, linear."""

    operations: ClassVar[tuple[str, ...]] = OPERATIONS
    derived_edges: ClassVar[int] = len(EDGES)

    def __init__(
        self,
        num_classes: int,
        channels: int = 16,
        cells_per_stage: int = 5,
        allow_none: bool = False,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__({"cell": len(EDGES)}, mean, std)
        self.allow_none = allow_none
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.blocks = nn.ModuleList()
        for stage in range(3):
            width = channels * 2**stage
            if stage:
                self.blocks.append(Reduction(width // 2))
            self.blocks.extend(MixedCell(width) for _ in range(cells_per_stage))
        self.last = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, num_classes)
        batch_statistics(self)

    def logits(self, x: Tensor, probabilities: dict[str, Tensor]) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, probabilities["cell"]) if isinstance(block, MixedCell) else block(x)
        return self.classifier(self.last(x).mean((2, 3)))

    def derive(self) -> Cell:
        """For each edge the operation with the largest weight (the first of equals); `none` only if `allow_none`."""
        choices = range(0 if self.allow_none else 1, len(OPERATIONS))  # column 0 is `none`
        rows = self.probabilities()["cell"].tolist()
        return Cell(tuple(OPERATIONS[max(choices, key=row.__getitem__)] for row in rows))  # type: ignore[arg-type]

    def skips(self) -> dict[str, int]:
        return {"cell": self.derive().operations.count("skip_connect")}
