"""The proxies of TE-NAS against patterns counted one by one, and against a Jacobian written out in full."""

from __future__ import annotations

import math
from dataclasses import asdict
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from literal import NOTHING, SMALL_ARCHS, Batch, Copy, Tiny, chain, double, small
from torch import Tensor, nn

from nas.core.errors import InputError, NasError
from nas.objectives.network_spec import NetworkSpec
from nas.search_spaces import SPACES, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.tenas import LinearRegionsOptions, NTKOptions, _pieces, kaiming

REGIONS, NTK = PROXIES.get("linear_regions"), PROXIES.get("ntk_cond")


def with_weights(copy: Copy, weights: list[Tensor]) -> Copy:
    for layer, weight in zip(copy.layers, weights, strict=True):
        layer.weight.data = weight.clone()
    return copy


def patterns(copy: Copy, inputs: Tensor) -> int:
    """The number of different patterns, each a tuple of the signs of what every ReLU takes."""
    signs: list[np.ndarray] = []
    for module in copy.body.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda module, args: signs.append(args[0].flatten(1).numpy() > 0))
    with torch.no_grad():
        copy.body(inputs)
    return len({tuple(row) for row in np.concatenate(signs, axis=1).tolist()})


@pytest.mark.parametrize("pixels", [1, 4])
def test_regions_are_the_reference(pixels: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    options = LinearRegionsOptions(crops=60, pixels=pixels, initialisations=2)
    copies = [Copy(network, batch) for _ in range(2)]
    probe = double(network, batch)
    inputs = _pieces(probe, options)
    found = [
        patterns(with_weights(copy, kaiming(probe, f"linear_regions/{number}", "in")), inputs)
        for number, copy in enumerate(copies)
    ]
    assert REGIONS(probe, options) == sum(found) / 2
    assert pixels > 1 or 1 < sum(found) / 2 < 60


def test_regions_of_a_line() -> None:
    """One pixel of one channel, and a ReLU on it: it is on one side of 0 or on the other."""
    images = torch.tensor([-2.0, -1.0, 1.0, 2.0]).view(4, 1, 1, 1).expand(4, 3, 1, 1)
    probe = Probe(chain(nn.ReLU()), images.contiguous(), torch.zeros(4, dtype=torch.int64))
    assert REGIONS(probe, LinearRegionsOptions(crops=50)) == 2
    zeros = Probe(chain(nn.ReLU()), torch.zeros(4, 3, 1, 1), torch.zeros(4, dtype=torch.int64))
    assert REGIONS(zeros, LinearRegionsOptions(crops=50)) == 1


def test_pieces_are_of_one_channel_of_an_image(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    probe = Probe(tiny(space, space.largest()), *batch)
    pieces = _pieces(probe, LinearRegionsOptions(crops=40, pixels=3))
    assert pieces.shape == (40, 3, 3, 3)
    places = probe.images.unfold(2, 3, 1).unfold(3, 3, 1).reshape(-1, 9)  # every piece of every channel
    found = [int(np.flatnonzero((places == piece[0].flatten()).all(1))[0]) for piece in pieces]
    assert len(set(found)) > 20
    assert all(torch.equal(piece[0], piece[1]) and torch.equal(piece[0], piece[2]) for piece in pieces)


def test_a_network_without_relu_has_no_regions(batch: Batch) -> None:
    with pytest.raises(NasError, match="no ReLU"):
        REGIONS(Probe(chain(nn.Identity()), *batch))


def test_pieces_too_small_for_a_network_are_told(batch: Batch) -> None:
    network = chain(nn.Conv2d(3, 3, 5), nn.ReLU())
    with pytest.raises(NasError, match=r"takes no images of 4 pixels; raise proxies\.linear_regions\.pixels"):
        REGIONS(Probe(network, *batch), LinearRegionsOptions(crops=9))
    assert REGIONS(Probe(network, *batch), LinearRegionsOptions(crops=9, pixels=6)) > 1


@pytest.mark.parametrize(("fan", "expected"), [("in", 2 / (9 * 4)), ("out", 2 / (9 * 64))])
def test_weights_have_the_variance_of_he_et_al(fan: Any, expected: float, batch: Batch) -> None:
    network = chain(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 64, 3, groups=2), channels=64)
    weight = kaiming(Probe(network, *batch), "a label", fan)[1]
    assert weight.shape == (64, 4, 3, 3)
    assert weight.double().var().item() == pytest.approx(expected, rel=0.1)


def test_the_condition_is_the_reference(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    """log of the squared ratio of the singular values of the whole Jacobian, in double precision."""
    network = tiny(space, small(space))
    copies = [Copy(network, batch) for _ in range(2)]
    probe = double(network, batch)
    expected = []
    for number, copy in enumerate(copies):
        with_weights(copy, kaiming(probe, f"ntk_cond/{number}", "out"))
        weights = {
            name: value
            for name, value in copy.body.named_parameters()
            if any(value is layer.weight for layer in copy.layers)
        }

        def sums(values: dict[str, Tensor], copy: Copy = copy) -> Tensor:
            return torch.func.functional_call(copy.body, values, (copy.images,)).sum(1)

        for module in copy.body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None
        jacobian = torch.func.jacrev(sums)(weights)
        whole = torch.cat([part.flatten(1) for part in jacobian.values()], dim=1).detach().numpy()
        singular = np.linalg.svd(whole, compute_uv=False)
        expected.append(2 * math.log(singular[0] / singular[-1]))
    assert NTK(probe, NTKOptions(initialisations=2)) == pytest.approx(sum(expected) / 2, rel=1e-6)


def test_equal_images_make_the_kernel_singular(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.largest())
    images = batch[0].clone()
    images[-1] = images[0]
    assert math.isfinite(NTK(Probe(network, *batch)))
    with pytest.raises(NasError, match="singular"):
        NTK(Probe(network, images, batch[1]))


def test_wrong_options_are_refused() -> None:
    for options in (
        NTKOptions(initialisations=0),
        LinearRegionsOptions(crops=1),
        LinearRegionsOptions(pixels=0),
        LinearRegionsOptions(initialisations=0),
    ):
        with pytest.raises(InputError, match=r"Expected proxies\.NAME\..* between"):
            options.check()


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts", "transnas-micro", "nds-amoeba"])
def test_the_thinnest_network(name: str) -> None:
    """As few channels and cells as the settings allow, whatever the size that proxies score."""
    space = SPACES.get(name)()
    spec = NetworkSpec(name, asdict(space.ScoringSettings()), 4, 8)
    thinnest = spec.thinnest
    assert thinnest.thinnest == thinnest
    assert all(
        value is None or value <= 4 for value in thinnest.settings.values() if not isinstance(value, (str, bool))
    )
    arch = space.parse(SMALL_ARCHS[name]) if name in SMALL_ARCHS else space.sample(Random(0))
    assert thinnest.cost(arch).params <= spec.cost(arch).params
    assert name != "nasbench201" or dict(thinnest.settings) == {"channels": 1, "cells_per_stage": 1}


def test_an_empty_cell_has_one_region(tiny: Tiny, batch: Batch) -> None:
    """Nothing but zeros reaches the ReLUs behind it; the stem has none."""
    space = SPACES.get("nasbench201")()
    network = tiny(space, space.parse(NOTHING))
    assert REGIONS(Probe(network, *batch), LinearRegionsOptions(crops=20)) == 1
