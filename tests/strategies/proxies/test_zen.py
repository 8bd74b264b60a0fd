"""zen against a literal reference on the same draws, and what it does not depend on."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from literal import NOTHING, Batch, Copy, Tiny, chain, double
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.core.seeds import derive
from nas.search_spaces import SPACES, Network, SearchSpace
from nas.strategies.proxies import PROXIES
from nas.strategies.proxies.passes.probe import Probe

ZEN = PROXIES.get("zen")


class Draws:
    """What the probe of seed 0 draws for zen, in its order: x, x₂, then the layers' weights."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(derive(0, "proxy", "zen"))

    def __call__(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator).double()


def reference(network: Network, batch: Batch) -> float:
    copy, draw = Copy(network, batch), Draws()
    x, x_2 = draw(copy.images), draw(copy.images)
    for layer in copy.layers:
        layer.weight.data = draw(layer.weight)
    log_sigmas: list[float] = []

    def normalised(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        by_channel = args[0].detach().numpy().swapaxes(0, 1)
        variance = np.mean([np.var(channel) for channel in by_channel])
        log_sigmas.append(math.log(math.sqrt(variance)) if variance > 0 else 0.0)

    hooks = [
        module.register_forward_pre_hook(normalised)
        for module in copy.body.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    pooled: list[np.ndarray] = []
    copy.body.classifier.register_forward_pre_hook(lambda module, args: pooled.append(args[0].detach().numpy()))
    f = copy.body.pooled(copy.body.stages(x)[-1]).detach().numpy()
    for hook in hooks:
        hook.remove()
    copy.body(x)
    assert np.allclose(pooled[0], f.mean((2, 3)))  # f is what the global pooling takes
    moved = copy.body.pooled(copy.body.stages(x + 0.01 * x_2)[-1]).detach().numpy()
    changes = [np.abs(after - before).sum() for after, before in zip(moved, f)]
    return math.log(np.mean(changes)) + sum(log_sigmas)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_is_the_reference_in_float64(seed: int, space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.sample(Random(seed)))
    assert ZEN(double(network, batch)) == pytest.approx(reference(network, batch), rel=1e-5)


def test_float32_is_near_float64(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    network = tiny(space, space.largest())
    assert ZEN(Probe(network, *batch)) == pytest.approx(ZEN(double(network, batch)), rel=1e-3)


def test_a_linear_convolution_has_a_closed_form(batch: Batch) -> None:
    """Without normalisation: log of the mean over images of γ·Σ|W x₂|."""
    network = chain(nn.Conv2d(3, 5, 1), channels=5)
    draw = Draws()
    _, x_2, weight = draw(batch[0]), draw(batch[0]).numpy(), draw(torch.empty(5, 3, 1, 1)).numpy()[:, :, 0, 0]
    change = np.abs(np.einsum("oc,bcij->boij", weight, x_2)).sum((1, 2, 3)).mean()
    assert ZEN(double(network, batch)) == pytest.approx(math.log(0.01 * change), rel=1e-6)


def test_a_normalisation_gives_back_the_scale_it_takes(batch: Batch) -> None:
    """A convolution of one channel, normalised: f is the linear one over σ, and log σ comes back."""
    values = [
        ZEN(double(chain(nn.Conv2d(3, 1, 1, bias=False), *norm, channels=1), batch))
        for norm in ((), (nn.BatchNorm2d(1, affine=False, eps=1e-12),))
    ]
    assert values[1] == pytest.approx(values[0], abs=1e-2)  # σ at x + γx₂ is another one


def test_only_the_shape_of_the_batch_and_the_seed_matter(space: SearchSpace, tiny: Tiny, batch: Batch) -> None:
    arch = space.sample(Random(11))
    value = ZEN(Probe(tiny(space, arch), *batch))
    assert ZEN(Probe(tiny(space, arch, 1), 1 - batch[0], batch[1].flip(0))) == value
    assert ZEN(Probe(tiny(space, arch), *batch, seed=1)) != value
    assert ZEN(Probe(tiny(space, arch), batch[0][:4], batch[1][:4])) != value


def test_a_cell_without_a_path_is_told(tiny: Tiny, batch: Batch) -> None:
    space = SPACES.get("nasbench201")()
    with pytest.raises(NasError, match="do not depend on the image"):
        ZEN(Probe(tiny(space, space.parse(NOTHING)), *batch))


def test_a_dead_branch_counts_nothing(tiny: Tiny, batch: Batch) -> None:
    """A convolution that only sees zeros has a variance of 0, whose logarithm is left out."""
    space = SPACES.get("nasbench201")()
    cell = "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|skip_connect~2|"
    network = tiny(space, space.parse(cell))
    assert ZEN(double(network, batch)) == pytest.approx(reference(network, batch), rel=1e-5)
