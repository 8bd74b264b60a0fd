"""A small network that has learnt its images, for tests that need one."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.core.images import unit_range
from nas.search_spaces import NASBench201, Network


def briefly_trained(data: Dataset, cell: str, seed: int, steps: int) -> Network:
    """The network of a NAS-Bench-201 cell, in evaluation mode, after `steps` steps of SGD on batches of 64 images."""
    space = NASBench201()
    torch.manual_seed(seed)
    network = space.build(space.parse(cell), channels=4, cells_per_stage=1, mean=data.mean, std=data.std)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = unit_range(data.train.images), data.train.labels
    for _ in range(steps):
        chosen = torch.randperm(len(y))[:64]
        loss = F.cross_entropy(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()
