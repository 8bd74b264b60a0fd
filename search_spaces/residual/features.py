"""Features of a residual network: the choices of each stage, and its depth and size."""

from __future__ import annotations

from functools import cache
from math import log2

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.residual.architecture import ResidualArch
from nas.search_spaces.residual.cost import network_cost
from nas.search_spaces.residual.domain import Domain


@cache
def feature_names(domain: Domain) -> list[str]:
    return list(_features(domain.largest(), domain))


def features(arch: ResidualArch, domain: Domain) -> np.ndarray:
    """Features as a float32 vector; `feature_names` names them.

    Of the stem and of each stage: each entry of the lists, as one-hot over the values of the domain and as logarithm
    (0 for a stage that is missing, and for basic blocks no bottleneck or groups). Of the network: blocks, layers with
    weights on the longest path, and the logarithms of weights and MACs at the size for CIFAR-10.
    """
    return np.fromiter(_features(arch, domain).values(), dtype=np.float32)


def _features(arch: ResidualArch, domain: Domain) -> dict[str, float]:
    logs: dict[str, float] = {}
    one_hot: dict[str, float] = {}
    for (field, place), choices in domain.choices.items():
        label = f"{field} of {'the stem' if place == 0 else f'stage {place}'}"
        entry = getattr(arch, field)[place] if place < len(arch.ds) else None
        one_hot |= {f"{label} is {choice}": float(entry == choice) for choice in choices}
        logs[f"log2 {label}"] = 0.0 if entry is None else log2(entry)
    blocks = sum(stage.blocks for stage in arch.stages())
    cost = network_cost(arch, 10, "cifar", 1.0, 32)
    totals = {
        "blocks": float(blocks),
        "layers": 2.0 + blocks * (3 if domain.bottlenecks else 2),
        "log2 weights": log2(cost.params),
        "log2 MACs": log2(cost.macs),
    }
    return graph.merged(one_hot, logs, totals)
