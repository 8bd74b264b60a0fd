"""The curvature of the loss around images against explicit Hessians of each image, in float64."""

from __future__ import annotations

import copy
import math
from random import Random

import numpy as np
import pytest
import torch
from literal import NOTHING, SMALL_GENOTYPE, Batch, Copy, Tiny, chain, double, replace
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import InputError
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.curvature import HessianOptions
from nas.strategies.proxies.passes.probe import Probe

HESSIAN = PROXIES.get("hessian")
ENOUGH = HessianOptions(iterations=60)


class Fixed(nn.Module):
    """Normalises with the statistics of the one batch it saw first."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = copy.deepcopy(norm)
        self.statistics: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.statistics is None:
            self.statistics = (x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True))
        mean, variance = self.statistics
        normalised = (x - mean) / (variance + self.norm.eps).sqrt()
        return normalised * self.norm.weight.view(1, -1, 1, 1) + self.norm.bias.view(1, -1, 1, 1)


def fixed(network: Network, batch: Batch) -> Copy:
    """The network with the statistics of the batch."""
    own = Copy(network, batch)
    replace(own.body, nn.BatchNorm2d, Fixed)
    with torch.no_grad():
        own.body(own.images)
    return own


def blocks(network: Network, batch: Batch) -> list[np.ndarray]:
    """∂²CE/∂x² of each image alone."""
    own = fixed(network, batch)
    body = own.body

    def loss_of(label: Tensor) -> object:
        return lambda flat: F.cross_entropy(body(flat.view(1, *own.images.shape[1:])), label[None])

    return [
        torch.autograd.functional.hessian(loss_of(label), image.flatten()).numpy()  # type: ignore[arg-type]
        for image, label in zip(own.images, own.labels)
    ]


def curved(network: Network, batch: Batch) -> list[float]:
    """The same blocks' largest eigenvalues: logits are linear between kinks, so H = Jᵀ(diag p - p pᵀ)J."""
    own = fixed(network, batch)
    jacobian, tops = own.jacobian(), []
    for image, p in enumerate(torch.softmax(own.body(own.images), 1).detach().numpy()):
        j = jacobian[image, :, image]
        tops.append(np.linalg.eigvalsh(j.T @ (np.diag(p) - np.outer(p, p)) @ j)[-1])
    return tops


@pytest.fixture
def few(batch: Batch) -> Batch:
    """Two images of 4×4, so that Hessians are 48×48."""
    return batch[0][:2, :, :4, :4].contiguous(), batch[1][:2]


@pytest.mark.landing
def test_it_is_the_largest_eigenvalue_of_explicit_hessians(space: SearchSpace, tiny: Tiny, few: Batch) -> None:
    network = tiny(space, space.parse(SMALL_GENOTYPE) if space.name == "darts" else space.sample(Random(11)))
    spectra = [np.linalg.eigvalsh(block) for block in blocks(network, few)]
    assert all(spectrum[0] > -1e-9 * spectrum[-1] for spectrum in spectra)  # so the largest is that of largest size
    tops = [spectrum[-1] for spectrum in spectra]
    assert curved(network, few) == pytest.approx(tops, rel=1e-9)
    assert HESSIAN(double(network, few), ENOUGH) == pytest.approx(np.mean(tops), rel=1e-5)


@pytest.mark.landing
def test_it_is_the_largest_eigenvalue(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network, batch = tiny(space, space.sample(Random(12))), (batch[0][:3], batch[1][:3])
    assert HESSIAN(double(network, batch), ENOUGH) == pytest.approx(np.mean(curved(network, batch)), rel=1e-5)


@pytest.mark.landing
def test_few_iterations_come_near_from_below(space: SearchSpace, tiny: Tiny, few: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    exact = np.mean(curved(network, few))
    values = [HESSIAN(double(network, few), HessianOptions(iterations=n)) for n in (1, 3, 10)]
    assert 0.2 * exact < values[0] <= values[1] <= values[2] <= exact * (1 + 1e-9)
    assert values[2] == pytest.approx(exact, rel=0.1)


def test_one_linear_layer_has_a_closed_form(batch: Batch) -> None:
    """Aᵀ(diag p - p pᵀ)A with A = W over the pixels, whose other eigenvalues are 0."""
    network = chain()
    w, b = (parameter.detach().double().numpy() for parameter in network.body.classifier.parameters())
    f = batch[0].double().numpy().mean((2, 3))
    exponents = np.exp(f @ w.T + b)
    tops = []
    for p in exponents / exponents.sum(1, keepdims=True):
        inner = w.T @ (np.diag(p) - np.outer(p, p)) @ w / 64
        tops.append(np.linalg.eigvalsh(inner)[-1])
    assert HESSIAN(double(network, batch), ENOUGH) == pytest.approx(np.mean(tops), rel=1e-6)


def test_images_do_not_act_on_each_other_but_by_the_statistics(batch: Batch) -> None:
    """Without normalisation the value is the mean of the values of single images."""
    network = chain(nn.Conv2d(3, 5, 3), nn.ReLU(), channels=5)
    alone = [np.linalg.eigvalsh(block)[-1] for block in blocks(network, batch)]
    assert HESSIAN(double(network, batch), ENOUGH) == pytest.approx(np.mean(alone), rel=1e-5)


def test_a_flat_loss_has_no_curvature(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    assert HESSIAN(Probe(tiny(space, space.parse(NOTHING)), *batch)) == 0.0
    network = chain()
    network.body.classifier.weight.data.zero_()
    assert HESSIAN(Probe(network, *batch)) == 0.0


@pytest.mark.landing
def test_float32_is_near_float64(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(11)))
    single = HESSIAN(Probe(network, *batch))
    assert math.isfinite(single)
    assert single == pytest.approx(HESSIAN(double(network, batch)), rel=1e-3)


@pytest.mark.parametrize("options", [{"iterations": 0}, {"iterations": 10_001}, {"batch_size": 1}])
def test_impossible_options_are_told(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        HessianOptions(**options).check()
    HessianOptions().check()
