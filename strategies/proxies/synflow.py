"""A proxy without data: it sends ones through the network."""

from __future__ import annotations

import math
from typing import Any

import torch

from nas.core.errors import NasError
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.gradient import total
from nas.strategies.proxies.passes.autograd import grads_of
from nas.strategies.proxies.passes.probe import Probe


@proxy(
    "synflow",
    batch_norm="off",
    domain="log",
    source="Tanaka et al., NeurIPS 2020 (arXiv:2006.05467), eq. 4; the sum as in Abdelfattah et al. 2021",
    references=("tanaka2020synflow", "abdelfattah2021zerocost"),
    passes=0.1,
)
def synflow(probe: Probe, options: Any) -> float:
    """Synaptic flow: log Σ |w·∂R/∂w|, R = Σ logits of one image of ones at |θ|, batch normalisation off.

    Biases are made positive too. In double precision, raw values of all networks here stay in range. A network
    without a path from image to logits has no value: the flow of its classifier is 0 too.
    """
    ones = torch.ones_like(probe.images[:1], dtype=torch.float64)
    with probe.view(batch_norm="off", dtype=torch.float64, owned=True), torch.enable_grad():
        for parameter in probe.body.parameters():
            parameter.data.abs_()
        weights = [layer.weight for layer in probe.layers]
        flows = [w.detach() * g for w, g in zip(weights, grads_of(probe.body(ones).sum(), weights))]
        value = total([flow.abs().sum() for flow in flows])
    if value <= 0:
        raise NasError("No flow reaches the logits (every path of the cell is none), so its logarithm is -inf.")
    return math.log(value)
