"""Networks and batches as proxies score them, for benchmarks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.bench.measuring.timing import device
from nas.search_spaces import Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe


def batch_size(names: tuple[str, ...]) -> int:
    return max(PROXIES.get(name).Options().batch_size for name in names)


def batch(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand((size, 3, 32, 32), generator=generator).contiguous(memory_format=torch.channels_last)
    return images.to(device()), torch.randint(10, (size,), generator=generator).to(device())


def built(space: SearchSpace, arch: Any) -> Network:
    return space.build(arch, **vars(space.ScoringSettings())).to(device()).to(memory_format=torch.channels_last)


def score(space: SearchSpace, arch: Any, names: tuple[str, ...], images: Tensor, labels: Tensor) -> None:
    """Build the network and compute the proxies."""
    score_built(built(space, arch), names, images, labels)


def score_built(network: Network, names: tuple[str, ...], images: Tensor, labels: Tensor) -> None:
    """Compute the proxies of a network."""
    proxies = [PROXIES.get(name) for name in names]
    probe = Probe(network, images, labels, second=(images.flip(0), labels.flip(0)), relative_flops=0.5)
    for proxy in proxies:
        probe.want(proxy.uses(proxy.Options()))
    for proxy in proxies:
        proxy(probe)
