"""Features of a configuration of NAS-Bench-MR: its 27 numbers, and its depth and size."""

from __future__ import annotations

from functools import cache
from math import log2

import numpy as np

from nas.search_spaces import graph
from nas.search_spaces.nasbench_mr import domain
from nas.search_spaces.nasbench_mr.configuration import Configuration
from nas.search_spaces.nasbench_mr.cost import network_cost


@cache
def feature_names() -> list[str]:
    return list(_features(domain.largest()))


def features(configuration: Configuration) -> np.ndarray:
    """Features as a float32 vector; `feature_names` names them.

    Each number of the embedding as one-hot over the values of the domain and as logarithm; the blocks in all modules,
    for each part and in total; and the logarithms of weights and MACs with the default settings.
    """
    return np.fromiter(_features(configuration).values(), dtype=np.float32)


def _features(configuration: Configuration) -> dict[str, float]:
    one_hot: dict[str, float] = {}
    logarithms: dict[str, float] = {}
    for (name, values), number in zip(domain.CHOICES.items(), configuration.embedding):
        one_hot |= {f"{name} is {value}": float(number == value) for value in values}
        logarithms[f"log2 {name}"] = log2(number)
    blocks = {f"blocks of part {len(p.blocks)}": float(p.modules * sum(p.blocks)) for p in configuration.parts()}
    cost = network_cost(configuration, 10, 2, 1.0, 32)
    totals = {
        "blocks": sum(blocks.values()),
        "log2 weights": log2(cost.params),
        "log2 MACs": log2(cost.macs),
    }
    return graph.merged(one_hot, logarithms, blocks, totals)
