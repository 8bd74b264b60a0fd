"""How many channels each node of a NASBench-101 cell has, and the network's weights and MACs in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.nasbench101.cell import Cell

STACKS = 3  # of cells; between them the image is halved and the channels are doubled
_KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}


def node_channels(cell: Cell, c_out: int) -> list[int]:
    """The channels of each node of a cell with `c_out` channels; those of node 0, which the cell is given, are 0.

    The inner nodes that feed the output divide its channels; the first of them take one more each until none is left.
    The other inner nodes have as many as the largest of the inner nodes that they feed.
    """
    channels = [0] * cell.output + [c_out]
    feeding = [source for source, target in cell.edges if target == cell.output and source > 0]
    for number, node in enumerate(feeding):
        share, left = divmod(c_out, len(feeding))
        channels[node] = share + (number < left)
    for source, target in reversed(cell.edges):
        if target < cell.output and source not in feeding:
            channels[source] = max(channels[source], channels[target])
    channels[0] = 0
    return channels


def stacks(channels: int, cells_per_stack: int, image_size: int) -> Iterator[tuple[int, int, int]]:
    """For each cell of the network: its input's channels, its own channels, and the size of its image."""
    c_in = c_out = channels
    for stack in range(STACKS):
        if stack > 0:
            c_out, image_size = 2 * c_out, -(-image_size // 2)
        for _ in range(cells_per_stack):
            yield c_in, c_out, image_size
            c_in = c_out


def network_cost(cell: Cell, num_classes: int, channels: int, cells_per_stack: int, image_size: int) -> Cost:
    """Weights and MACs of `NASBench101Body`."""
    parts = [conv_bn_cost(3, channels, 3, image_size)]
    known: dict[tuple[int, int, int], Cost] = {}
    for key in stacks(channels, cells_per_stack, image_size):
        if key not in known:
            known[key] = _cell_cost(cell, *key)
        parts.append(known[key])
    last = channels * 2 ** (STACKS - 1)
    parts.append(Cost(last * num_classes + num_classes, last * num_classes))
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))


def _cell_cost(cell: Cell, c_in: int, c_out: int, size: int) -> Cost:
    channels = node_channels(cell, c_out)
    parts = [conv_bn_cost(c_in, channels[target], 1, size) for source, target in cell.edges if source == 0]
    for width, name in zip(channels[1:], cell.operations):
        if name in _KERNELS:
            parts.append(conv_bn_cost(width, width, _KERNELS[name], size))
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))
