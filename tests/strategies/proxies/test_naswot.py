"""nwot against Hamming distances counted one by one, and hand-made codes."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from literal import NOTHING, Batch, Copy, Tiny, chain, double
from torch import nn

from nas.core.errors import NasError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

NWOT = PROXIES.get("nwot")


def reference(network: Network, batch: Batch) -> float:
    """log|det(positions - Hamming distances)| of the signs of what every ReLU takes."""
    copy = Copy(network, batch)
    codes: list[np.ndarray] = []
    for module in copy.body.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten(1).numpy() > 0))
    with torch.no_grad():
        copy.body(copy.images)
    whole = np.concatenate(codes, axis=1)
    kernel = np.array([[float(np.count_nonzero(one == another)) for another in whole] for one in whole])
    return np.linalg.slogdet(kernel)[1]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_is_the_reference(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    assert NWOT(double(network, batch)) == pytest.approx(reference(network, batch), rel=1e-9)


def images_of(codes: list[list[int]]) -> Batch:
    """Images whose 3 pixels of one column have these codes behind a ReLU, and labels."""
    pixels = torch.tensor(codes, dtype=torch.float32)
    return pixels.view(len(codes), 3, -1, 1), torch.zeros(len(codes), dtype=torch.int64)


@pytest.mark.parametrize(
    ("codes", "determinant"),
    [
        ([[1, 1, 0], [1, 0, 0]], 3 * 3 - 2 * 2),
        ([[1, 1, 1], [0, 0, 0]], 3 * 3),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 27 + 2 * 1 - 3 * 3),
        ([[1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], 216 + 2 * 5 * 3 * 2 - 6 * (25 + 9 + 4)),
    ],
)
def test_hand_made_codes(codes: list[list[int]], determinant: float) -> None:
    assert NWOT(Probe(chain(nn.ReLU()), *images_of(codes))) == pytest.approx(math.log(determinant), rel=1e-9)


def test_every_relu_adds_its_kernel() -> None:
    """The second sees the same codes, so K doubles: a factor 2 for each of the 2 images."""
    batch = images_of([[1, 1, 0], [1, 0, 0]])
    assert NWOT(Probe(chain(nn.ReLU(), nn.ReLU()), *batch)) == pytest.approx(math.log(4 * 5), rel=1e-9)


@pytest.mark.parametrize("size", [2, 6, 64])
def test_two_equal_images_are_told(size: int, space: SearchSpace, tiny: Tiny) -> None:
    network = tiny(space, space.sample(Random(11)))
    images = torch.rand((size, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(size, dtype=torch.int64)
    if size > 2:
        assert math.isfinite(NWOT(Probe(network, images, labels)))
    for again in {0, size // 2 - 1, size - 2}:
        images[-1] = images[again]
        with pytest.raises(NasError, match="same ReLU codes"):
            NWOT(Probe(network, images, labels))


def test_more_images_than_positions_are_told() -> None:
    """Six different codes of three positions: K has rank 4 at most."""
    codes = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    with pytest.raises(NasError, match="singular"):
        NWOT(Probe(chain(nn.ReLU()), *images_of(codes)))
    assert math.isfinite(NWOT(Probe(chain(nn.ReLU()), *images_of(codes[:4]))))


def test_a_cell_without_a_path_has_one_code(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    with pytest.raises(NasError, match="same ReLU codes"):
        NWOT(Probe(tiny(space, space.parse(NOTHING)), *batch))


def test_weights_and_labels_matter_by_the_codes_only(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    value = NWOT(Probe(network, *batch))
    assert NWOT(Probe(network, batch[0], batch[1].flip(0))) == value
    network.body.classifier.weight.data.fill_(7.0)
    assert NWOT(Probe(network, *batch)) == value


def test_many_positions_are_counted_exactly() -> None:
    """Three quarters of a million positions of one ReLU, all but one alike."""
    images = torch.ones(2, 3, 512, 512)
    images[1, 0, 0, 0] = 0.0
    got = NWOT(Probe(chain(nn.ReLU()), images, torch.zeros(2, dtype=torch.int64)))
    positions = 3 * 2**18
    assert got == pytest.approx(math.log(2 * positions - 1), rel=1e-10)
