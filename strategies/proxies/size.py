"""Weights and multiply-accumulates as proxies: the baselines that a cleverer proxy has to beat."""

from __future__ import annotations

from typing import Any

from nas.search_spaces.base import Cost
from nas.strategies.proxies.base import proxy


@proxy(
    "params",
    needs="cost",
    mode="none",
    batch_norm="none",
    source="baseline of Abdelfattah et al. 2021",
    references=("abdelfattah2021zerocost",),
    passes=0.0,
)
def params(cost: Cost, options: Any) -> float:
    """Number of trainable weights of the network that would be trained."""
    return float(cost.params)


@proxy(
    "flops",
    needs="cost",
    mode="none",
    batch_norm="none",
    source="baseline of Abdelfattah et al. 2021",
    references=("abdelfattah2021zerocost",),
    passes=0.0,
)
def flops(cost: Cost, options: Any) -> float:
    """Multiply-accumulates (MACs) of one image in the network that would be trained."""
    return float(cost.macs)
