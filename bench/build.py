"""What building a network costs, compared with using it: `nas bench build`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import median
from typing import ClassVar

import torch

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import forward_backward, seconds
from nas.core.io.records import Json
from nas.search_spaces import SPACES, SearchSpace

DEFAULT_SPACES = ("nasbench201", "darts")
CELLS = 10
BUILDS = 3  # per cell, before and after its F+B; their median counts
BATCH = 64


class BuildBench(Bench):
    """Time to build a network as a ratio to one training-mode forward and backward pass of it (F+B).

    The median over 10 random cells of a space at its default size; 32×32 images, 10 classes, batch 64. By default of
    NAS-Bench-201 and DARTS; `space` names another one.
    """

    name: ClassVar[str] = "build"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("ratios.nasbench201", at_most=0.06),
        Limit("ratios.darts", at_most=0.06),
    )

    def __init__(self) -> None:
        self.space: str | None = None

    def run(self, report: Callable[[str], None]) -> Json:
        names = DEFAULT_SPACES if self.space is None else (self.space,)
        return {"ratios": {name: measure(SPACES.get(name)(), report) for name in names}}


def measure(space: SearchSpace, report: Callable[[str], None], cells: int = CELLS, seed: int = 0) -> float:
    """Median over `cells` random architectures of (median build time) / (time of one F+B)."""
    report(f"{space.name}: {cells} networks, each built {2 * BUILDS} times and used once at batch {BATCH}")
    rng = Random(seed)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((BATCH, 3, 32, 32), generator=generator)
    labels = torch.randint(10, (BATCH,), generator=generator)
    forward_backward(space.build(space.sample(rng)), images[:2], labels[:2])  # warms up: threads, kernels, caches
    ratios = []
    for number in range(1, cells + 1):
        arch = space.sample(rng)
        builds = [seconds(space.build, arch) for _ in range(BUILDS)]
        passes = seconds(forward_backward, space.build(arch), images, labels)
        builds += [seconds(space.build, arch) for _ in range(BUILDS)]
        ratios.append(median(builds) / passes)
        report(
            f"{space.name} {number}/{cells}: build {1000 * median(builds):.1f} ms, F+B {passes:.2f} s, "
            f"ratio {ratios[-1]:.4f}"
        )
    return median(ratios)
