"""The network around a NAS-Bench-201 cell: stem, three stages of equal cells, residual reductions, classifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.nasbench201.cell import EDGES, Cell
from nas.search_spaces.nasbench201.operations import operation, operation_cost, relu_conv_bn
from nas.search_spaces.network import Body


class FourNodes(nn.Module):
    """A graph of six edges: node 0 is the input, node j the sum of its incoming edges, the output is node 3.

    Every edge of the string other than `none` has a module, even if its input is always zero, as in the networks that
    the benchmarks trained. `module(source, name)` makes the one of an edge from node `source`.
    """

    def __init__(self, cell: Cell, module: Callable[[int, str], nn.Module]) -> None:
        super().__init__()
        self.incoming: dict[int, list[tuple[int, str]]] = {1: [], 2: [], 3: []}
        for (source, target), name in zip(EDGES, cell.operations):
            if name != "none":
                self.add_module(f"{source}_{target}", module(source, name))
                self.incoming[target].append((source, f"{source}_{target}"))

    def zeros(self, x: Tensor) -> Tensor:
        """The value of a node without edges, for an input x of the cell."""
        return torch.zeros_like(x)

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for target in (1, 2, 3):
            value = None
            for source, module in self.incoming[target]:
                term = getattr(self, module)(nodes[source])
                value = term if value is None else value + term
            nodes.append(self.zeros(x) if value is None else value)
        return nodes[3]


class CellModule(FourNodes):
    """One cell, whose channels and image stay as they are."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__(cell, lambda source, name: operation(name, channels))


class Reduction(nn.Module):
    """Residual block that halves the image and doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_a = relu_conv_bn(channels, 2 * channels, 3, stride=2)
        self.conv_b = relu_conv_bn(2 * channels, 2 * channels, 3)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),  # ceil_mode: as large as the convolution's output
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.conv_b(self.conv_a(x))


class NASBench201Body(Body):
    """Stem (3×3 convolution to C) and stages of N cells at C, 2C, 4C; then BN, ReLU, mean over pixels, linear."""

    def __init__(self, cell: Cell, num_classes: int, channels: int, cells_per_stage: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.blocks = nn.ModuleList()
        for stage in range(3):
            width = channels * 2**stage
            before = [Reduction(width // 2)] if stage else []
            self.blocks.append(nn.Sequential(*before, *(CellModule(cell, width) for _ in range(cells_per_stage))))
        self.last = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        outputs = [self.stem(x)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs

    def pooled(self, last: Tensor) -> Tensor:
        return self.last(last)


def network_cost(cell: Cell, num_classes: int, channels: int, cells_per_stage: int, image_size: int) -> Cost:
    """Weights and MACs of `NASBench201Body` in closed form."""
    parts = [_edge_cost(name, channels, cells_per_stage, image_size) for name in cell.operations]
    parts.append(_frame_cost(num_classes, channels, image_size))
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))


@lru_cache
def _edge_cost(name: str, channels: int, cells_per_stage: int, image_size: int) -> Cost:
    """The cost of one edge of the cell, in all cells together."""
    parts = [operation_cost(name, width, size) for width, size in _stages(channels, image_size)]
    return Cost(*(cells_per_stage * sum(column) for column in zip(*parts)))


@lru_cache
def _frame_cost(num_classes: int, channels: int, image_size: int) -> Cost:
    """The cost of all parts of the network that are not cells."""
    parts = [conv_bn_cost(3, channels, 3, image_size)]
    for width, size in _stages(channels, image_size)[1:]:
        parts += [
            conv_bn_cost(width // 2, width, 3, size),
            conv_bn_cost(width, width, 3, size),
            Cost(width // 2 * width, width // 2 * width * size * size),
        ]
    last = 4 * channels
    parts.append(Cost(2 * last + last * num_classes + num_classes, last * num_classes))
    return Cost(*(sum(column) for column in zip(*parts)))


def _stages(channels: int, image_size: int) -> list[tuple[int, int]]:
    """Channels and image size of each stage."""
    half = (image_size + 1) // 2
    return [(channels, image_size), (2 * channels, half), (4 * channels, (half + 1) // 2)]
