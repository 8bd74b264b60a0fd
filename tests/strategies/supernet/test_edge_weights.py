"""The weights β of edges in the supernets: on the channels that bypass the operations, and in what is derived."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from toy_search import TINY

from nas.search_spaces import DARTS, NASBench201
from nas.search_spaces.darts.supernet import EDGES
from nas.search_spaces.supernet import Mixed
from nas.search_spaces.twocells.cell import pair


@pytest.mark.parametrize(("space", "settings"), [(DARTS(), {"channels": 2, "cells": 3}), (NASBench201(), TINY)])
def test_channels_that_bypass_the_operations_have_the_weight_of_their_edge(space: Any, settings: Any) -> None:
    """Without the output of any operation, the logits depend on β all the same."""
    torch.manual_seed(0)
    network = space.supernet(3, partial=2, edge_weights=True, **settings)
    network.mixer = lambda name, alpha: Mixed(torch.zeros_like(alpha))
    logits = network(torch.rand(4, 3, 8, 8))
    betas = list(network.betas.values())
    assert all(slope.abs().max() > 0 for slope in torch.autograd.grad(logits.square().sum(), betas))


@pytest.mark.parametrize("sources", [(0, 2), (1, 3)])
def test_edges_with_larger_weights_are_derived(sources: tuple[int, int]) -> None:
    network = DARTS().supernet(3, channels=2, cells=3, edge_weights=True)
    with torch.no_grad():
        network.betas["normal"].copy_(torch.tensor([5.0 * (source in sources) for source, _ in EDGES]))
    assert [source for _, source in pair(network.derive().normal, 5)] == list(sources)


def test_operations_that_are_not_kept_are_not_computed() -> None:
    network = NASBench201().supernet(3, **TINY)
    network.kept = {"cell": torch.tensor([[True, False, True, False, True]] * 6)}
    assert network.mixed()["cell"].computed == network.kept["cell"].tolist()
