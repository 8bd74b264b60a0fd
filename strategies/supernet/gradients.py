"""Which parameters get gradients: the weights, the architecture parameters, or none at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def only(network: nn.Module, wanted: Iterable[nn.Parameter]) -> Iterator[None]:
    """Run a block in which, of all parameters of `network`, only `wanted` require gradients.

    What is not wanted is then not computed, and what only its gradient would need is not kept in memory. Afterwards
    every parameter is as before.
    """
    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    ids = {id(parameter) for parameter in wanted}
    try:
        for parameter, _ in before:
            parameter.requires_grad_(id(parameter) in ids)
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
