"""The cost of a network of two kinds of cells in closed form."""

from __future__ import annotations

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.twocells.cell import Cell, Cells, reductions
from nas.search_spaces.twocells.operations import operation_cost


def network_cost(
    cells: Cells,
    num_classes: int,
    channels: int,
    depth: int,
    auxiliary: bool,
    stem: str,
    image_size: int,
) -> Cost:
    """Weights and MACs of `TwoCellsBody`. The auxiliary head has no MACs: it does not run at inference."""
    parts: list[Cost] = []
    if stem == "imagenet":
        half, quarter, size = (-(-image_size // divisor) for divisor in (2, 4, 8))
        parts += [
            conv_bn_cost(3, channels // 2, 3, half),
            conv_bn_cost(channels // 2, channels, 3, quarter),
            conv_bn_cost(channels, channels, 3, size),
        ]
        c_before = c_in = channels
    else:
        size = image_size
        parts.append(conv_bn_cost(3, 3 * channels, 3, size))
        c_before = c_in = 3 * channels
    width = channels
    normal = _edges_cost(cells.normal, width, size, reduction=False)
    for layer in range(depth):
        reduction = layer in reductions(depth)
        cell = cells.reduce if reduction else cells.normal
        parts += [conv_bn_cost(c, 2 * width if reduction else width, 1, size) for c in (c_before, c_in)]
        if reduction:
            parts.append(_edges_cost(cell, 2 * width, size, reduction))
            width, size = 2 * width, -(-size // 2)
            normal = _edges_cost(cells.normal, width, size, reduction=False)  # the same until the next reduction
        else:
            parts.append(normal)
        c_before, c_in = c_in, len(cell.concat) * width
    parts.append(Cost(c_in * num_classes + num_classes, c_in * num_classes))
    if auxiliary:
        reduced = len(cells.reduce.concat) * width
        convolutions = conv_bn_cost(reduced, 128, 1, 2).params + conv_bn_cost(128, 768, 2, 1).params
        parts.append(Cost(convolutions + 768 * num_classes + num_classes, 0))
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))


def _edges_cost(cell: Cell, width: int, size: int, reduction: bool) -> Cost:
    """The cost of all edges of a cell whose inputs have `size` pixels a side."""
    half = -(-size // 2)
    parts = [
        operation_cost(name, width, *((size, 2) if reduction and source < 2 else (half if reduction else size, 1)))
        for name, source in cell.edges
    ]
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))
