"""The cost of a micro network of TransNAS-Bench-101 in closed form."""

from __future__ import annotations

from functools import lru_cache

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.nasbench201.cell import EDGES, Cell
from nas.search_spaces.nasbench201.operations import operation_cost
from nas.search_spaces.transnas.layers import blocks, stem_cost, total

DIGITS = (4, 1, 4, 1, 4)  # of the layers of every micro network


def micro_cost(cell: Cell, num_classes: int, channels: int, blocks_per_layer: int, image_size: int) -> Cost:
    """Weights and MACs of the network of a cell."""
    parts = [
        _edge_cost(name, source == 0, channels, blocks_per_layer, image_size)
        for (source, _), name in zip(EDGES, cell.operations)
    ]
    parts.append(stem_cost(channels, image_size)[0])
    return total(parts, channels * 2 ** len([digit for digit in DIGITS if digit % 2 == 0]), num_classes)


@lru_cache
def _edge_cost(name: str, of_input: bool, channels: int, blocks_per_layer: int, image_size: int) -> Cost:
    """The cost of one edge in all cells; `of_input`: it leaves node 0, and so makes the change of the first cells."""
    _, size = stem_cost(channels, image_size)
    params = macs = 0
    for block in blocks(DIGITS, channels, blocks_per_layer):
        size = -(-size // block.stride)
        if of_input and block.changes:
            kernels = {"skip_connect": 1, "nor_conv_1x1": 1, "nor_conv_3x3": 3}  # two halves cost as much as one 1×1
            cost = conv_bn_cost(block.c_in, block.c_out, kernels[name], size) if name in kernels else Cost(0, 0)
        else:
            cost = operation_cost(name, block.c_out, size)
        params, macs = params + cost.params, macs + cost.macs
    return Cost(params, macs)
