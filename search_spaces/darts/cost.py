"""The cost of a DARTS network in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from nas.search_spaces.base import Cost, conv_bn_cost
from nas.search_spaces.darts.genotype import Edges, Genotype, reductions
from nas.search_spaces.darts.operations import operation_cost


def network_cost(
    genotype: Genotype,
    num_classes: int,
    channels: int,
    cells: int,
    auxiliary: bool,
    stem: str,
    image_size: int,
) -> Cost:
    """Weights and MACs of `DARTSBody`. The auxiliary head has no MACs: it does not run at inference."""
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
    for layer in range(cells):
        reduction = layer in reductions(cells)
        parts += [conv_bn_cost(c, 2 * width if reduction else width, 1, size) for c in (c_before, c_in)]
        if reduction:
            width, size = 2 * width, -(-size // 2)
        parts += _edge_costs(genotype.reduce if reduction else genotype.normal, width, size, reduction)
        c_before, c_in = c_in, 4 * width
    parts.append(Cost(c_in * num_classes + num_classes, c_in * num_classes))
    if auxiliary:
        convolutions = conv_bn_cost(c_in, 128, 1, 2).params + conv_bn_cost(128, 768, 2, 1).params
        parts.append(Cost(convolutions + 768 * num_classes + num_classes, 0))
    return Cost(sum(part.params for part in parts), sum(part.macs for part in parts))


def _edge_costs(edges: Edges, width: int, size: int, reduction: bool) -> Iterator[Cost]:
    for name, source in edges:
        yield operation_cost(name, width, size, stride=2 if reduction and source < 2 else 1)
