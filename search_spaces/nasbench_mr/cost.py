"""The cost of a network of NAS-Bench-MR in closed form."""

from __future__ import annotations

from collections.abc import Iterator

from nas.search_spaces.base import Cost
from nas.search_spaces.nasbench_mr.configuration import BRANCHES, Configuration
from nas.search_spaces.nasbench_mr.network import fusion_inputs
from nas.search_spaces.residual.cost import Convolution
from nas.search_spaces.widths import scaled


def network_cost(
    configuration: Configuration, num_classes: int, stem_stride: int, width_multiplier: float, image_size: int
) -> Cost:
    """Weights and MACs of `NASBenchMRBody`."""
    found = list(_convolutions(configuration, stem_stride, width_multiplier, image_size))
    linear = found[-1].c_out * num_classes
    return Cost(
        params=sum(one.weights + 2 * one.c_out * one.times for one in found) + linear + num_classes,
        macs=sum(one.macs for one in found) + linear,
    )


def _convolutions(
    configuration: Configuration, stem_stride: int, multiplier: float, size: int
) -> Iterator[Convolution]:
    c_in = 3
    for width in (scaled(one, multiplier) for one in configuration.stem):
        size = -(-size // stem_stride)
        yield Convolution(c_in, width, 3, size)
        c_in = width
    sizes = [size]
    for _ in range(BRANCHES - 1):
        sizes.append(-(-sizes[-1] // 2))
    before = [c_in]
    for part in configuration.parts():
        widths = [scaled(width, multiplier) for width in part.widths]
        yield from _fusion(before, widths, sizes)
        for fusion in _fusion(widths, widths, sizes) if part.modules > 1 else ():
            yield fusion._replace(times=part.modules - 1)
        for width, blocks, side in zip(widths, part.blocks, sizes):
            yield Convolution(width, width, 3, side, times=2 * blocks * part.modules)
        before = widths
    yield Convolution(sum(before), scaled(configuration.last, multiplier), 1, sizes[-1])


def _fusion(before: list[int], widths: list[int], sizes: list[int]) -> Iterator[Convolution]:
    for branch, width in enumerate(widths[: len(before)]):
        for source, kernel, _ in fusion_inputs(branch, len(before)):
            yield Convolution(before[source], width, kernel, sizes[max(branch, source)])
    for branch in range(len(before), len(widths)):
        yield Convolution(widths[branch - 1], widths[branch], 3, sizes[branch])
