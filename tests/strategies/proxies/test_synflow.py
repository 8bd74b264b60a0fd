"""synflow against a literal reference, closed forms, and networks whose raw values leave float32."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from literal import NOTHING, Batch, Copy, Tiny, chain, replace
from torch import nn

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

SYNFLOW = PROXIES.get("synflow")


def reference(network: Network, batch: Batch) -> float:
    copy = Copy(network, batch)
    body = replace(copy.body, nn.BatchNorm2d, lambda norm: nn.Identity())
    for parameter in body.parameters():
        parameter.data = parameter.data.abs()
    body(torch.ones((1, *batch[0].shape[1:]), dtype=torch.float64)).sum().backward()
    flows = [layer.weight.detach() * layer.weight.grad for layer in copy.layers if layer.weight.grad is not None]
    return math.log(sum(abs(entry) for flow in flows for entry in flow.flatten().tolist()))


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_is_the_reference(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    expected = reference(network, batch)
    assert SYNFLOW(Probe(network, *batch)) == pytest.approx(expected, rel=1e-9)  # also of a network in float32
    assert SYNFLOW(Probe(network.double(), batch[0].double(), batch[1])) == pytest.approx(expected, rel=1e-9)


def test_a_linear_network_carries_its_output_through_every_layer(batch: Batch) -> None:
    """Σ|w·∂R/∂w| of each layer is R = 1ᵀ|W₃||W₂||W₁|1, 1×1 convolutions on a constant image."""
    network = chain(nn.Conv2d(3, 5, 1, bias=False), nn.Conv2d(5, 2, 1, bias=False), channels=2)
    one, two, three = (
        np.abs(parameter.detach().double().numpy().reshape(len(parameter), -1))
        for name, parameter in network.body.named_parameters()
        if name.endswith("weight")
    )
    through = (three @ two @ one).sum()
    assert SYNFLOW(Probe(network, *batch)) == pytest.approx(math.log(3 * through), rel=1e-9)


def test_relus_and_signs_change_nothing(batch: Batch) -> None:
    plain = chain(nn.Conv2d(3, 5, 3, bias=False), nn.Conv2d(5, 2, 3, bias=False), channels=2)
    other = chain(
        nn.Conv2d(3, 5, 3, bias=False), nn.ReLU(), nn.Conv2d(5, 2, 3, bias=False), nn.BatchNorm2d(2), channels=2
    )
    for module, model in zip((0, 2), (0, 1)):
        other.body.chain[module].weight.data = -plain.body.chain[model].weight.data
    other.body.classifier = plain.body.classifier
    assert SYNFLOW(Probe(other, *batch)) == pytest.approx(SYNFLOW(Probe(plain, *batch)), rel=1e-12)


def test_images_and_labels_do_not_matter(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    assert SYNFLOW(Probe(network, 1 - batch[0], batch[1].flip(0))) == SYNFLOW(Probe(network, *batch))


def test_the_scale_of_the_weights_adds_a_logarithm(batch: Batch) -> None:
    """Without biases R is homogeneous: all L layers times s is s^L."""
    layers = [nn.Conv2d(3, 3, 1, bias=False) for _ in range(30)]
    network = chain(*layers)
    small = SYNFLOW(Probe(network, *batch))
    for layer in layers:
        layer.weight.data *= 1e6  # raw values of 1e180
    assert SYNFLOW(Probe(network, *batch)) == pytest.approx(small + 30 * math.log(1e6), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("nasbench201", {"channels": 16, "cells_per_stage": 5}),
        ("darts", {"channels": 4, "cells": 20}),
        pytest.param("darts", {"channels": 48, "cells": 20}, marks=pytest.mark.slow),
    ],
)
def test_the_largest_networks_stay_in_range(name: str, settings: dict[str, int]) -> None:
    """At a small image: the depth makes values explode, not the number of pixels. Doubles end at log 709."""
    space = SPACES.get(name)()
    torch.manual_seed(0)
    network = space.build(space.largest(), 1000, **settings)
    value = SYNFLOW(Probe(network, torch.rand(2, 3, 8, 8), torch.tensor([0, 1])))
    assert 30 < value < 350  # half of what there is, in logarithms


def test_a_cell_without_a_path_is_told(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    with pytest.raises(NasError, match="No flow"):
        SYNFLOW(Probe(tiny(space, space.parse(NOTHING)), *batch))
