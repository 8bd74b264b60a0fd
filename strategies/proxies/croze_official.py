"""CRoZe as its release computes it, defects included, so that published scores can be matched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.errors import NasError
from nas.search_spaces.darts.network import DARTSBody
from nas.search_spaces.nasbench201.network import CellModule, NASBench201Body
from nas.search_spaces.network import Body
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.croze import cosines, perturbed
from nas.strategies.proxies.passes.autograd import check_finite, grads_of
from nas.strategies.proxies.passes.hooks import on_input, on_output
from nas.strategies.proxies.passes.probe import Probe

BETA = 2.0
EPSILON = 0.01  # in units of the normalised image
CELLS = 5  # consecutive cells that share an entry of the list of features


@dataclass
class OfficialOptions(BatchOptions):
    batch_size: int = 8  # images of the training part


@proxy(
    "croze_official",
    batch_norm="off (layers that the release keeps act as if they were off)",
    source="the release of Ha et al. 2023 (arXiv:2306.05031), defects included",
    references=("ha2023croze",),
    options=OfficialOptions,
    passes=3.0,
)
def croze_official(probe: Probe, options: OfficialOptions) -> float:
    """Σ over layers of |Σ(1 + cos(θ', θ))·Σ|cos(g', g)|·Σ(1 + cos(z', z))|, cosines along axis 0, in double precision.

    θ is made positive, θ' = θ + 2·‖θ‖·g/‖g‖, x' = clamp(x - .01·sign ∂CE(|θ'|)/∂x, 0, 1), g' = ∂CE(|θ'|, x) +
    ∂CE(θ', x'). z are not the layer's own features: on NAS-Bench-201 they are entry ⌊cells so far / 5⌋ of the list
    stem, two reductions, last stage; on DARTS the output of the layer's cell; for the classifier the pooled features.
    The convolutions of NAS-Bench-201 cells have a random bias.
    """
    places, entry = _features(probe.body, probe.layers)
    with probe.view(batch_norm="off", dtype=torch.float64, owned=True), _biases(probe):
        for parameter in probe.body.parameters():
            parameter.data.abs_()
        x = probe.images.double()
        weights = [layer.weight for layer in probe.layers]
        theta = [weight.detach().clone() for weight in weights]
        z, (*g, _) = _pass(probe, places, x)
        theta_r = [perturbed(own, gradient, BETA) for own, gradient in zip(theta, g)]
        for weight, own in zip(weights, theta_r):
            weight.data = own.abs()
        _, (*g_clean, to_x) = _pass(probe, places, x)
        for weight, own in zip(weights, theta_r):
            weight.data = own
        z_r, (*g_robust, _) = _pass(probe, places, (x - EPSILON * to_x.sign()).clamp(0, 1))
        features = [(1 + cosines(a, b, "first")).sum() for a, b in zip(z, z_r)]
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for m in range(len(weights)):
            parameters = (1 + cosines(theta_r[m], theta[m], "first")).sum()
            gradients = cosines(g_clean[m] + g_robust[m], g[m], "first").abs().sum()
            total += (parameters * gradients * features[entry[m]]).abs()
    return total.item()


def _pass(probe: Probe, places: Sequence[nn.Module], inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The features at `places` and after pooling; and ∂CE/∂weights of each layer, then ∂CE/∂inputs."""
    features = [inputs.new_zeros(())] * (len(places) + 1)
    x = inputs.detach().requires_grad_(True)
    with torch.enable_grad(), ExitStack() as hooks:
        on_output(places, hooks, lambda number, output: features.__setitem__(number, output.detach()))
        on_input([probe.body.classifier], hooks, lambda _, pooled: features.__setitem__(-1, pooled.detach()))
        loss = F.cross_entropy(probe.body(x), probe.labels)
        grads = grads_of(loss, [*(layer.weight for layer in probe.layers), x])
    check_finite("gradient of the loss", grads)
    return features, grads


def _features(body: Body, layers: Sequence[nn.Module]) -> tuple[list[nn.Module], list[int]]:
    """The modules whose outputs are features, and the index of the features for each layer (the last index: pooled)."""
    places: list[nn.Module]
    owner: dict[nn.Module, int] = {}
    if isinstance(body, NASBench201Body):
        blocks = [list(block.children()) for block in body.blocks]
        places = [body.stem, blocks[1][0], blocks[2][0], body.blocks[2]]
        cells = 0
        for block in blocks:
            for part in block:
                cells += isinstance(part, CellModule)
                owner |= dict.fromkeys(part.modules(), min(cells // CELLS, 3))
    elif isinstance(body, DARTSBody):
        places = [body.stem0, *body.cells]
        for number, cell in enumerate(body.cells, start=1):
            owner |= dict.fromkeys(cell.modules(), number)
    else:
        raise NasError(
            f"Expected a network of nasbench201 or darts, for which CRoZe was released, but got {type(body).__name__}; "
            "take croze instead."
        )
    owner[body.classifier] = len(places)
    return places, [owner.get(layer, 0) for layer in layers]


@contextmanager
def _biases(probe: Probe) -> Iterator[None]:
    """During the block, the convolutions of NAS-Bench-201 cells have a random bias, as in the release."""
    generator = probe.generator("croze_official")
    cells = [module for module in probe.body.modules() if isinstance(module, CellModule)]
    convolutions = [module for cell in cells for module in cell.modules() if isinstance(module, nn.Conv2d)]
    try:
        for convolution in convolutions:
            bound = convolution.weight[0].numel() ** -0.5
            bias = torch.rand(len(convolution.weight), generator=generator, dtype=torch.float64) * 2 * bound - bound
            convolution.bias = nn.Parameter(bias.to(convolution.weight))
        yield
    finally:
        for convolution in convolutions:
            convolution.bias = None
