"""A proxy of how strongly the network with random weights reacts to a small change of random inputs."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.passes.autograd import check_finite
from nas.strategies.proxies.passes.probe import Probe

GAMMA = 0.01  # size of the change


@proxy(
    "zen",
    domain="log",
    source="Lin et al., ICCV 2021 (arXiv:2102.01063), alg. 1",
    references=("lin2021zen",),
    passes=2 / 3,
)
def zen(probe: Probe, options: Any) -> float:
    """Gaussian complexity: log mean_B Σ|f(x+γx₂) - f(x)| + Σ over batch normalisations of log σ; γ = .01.

    f is the input of the global pooling, weights and x, x₂ are N(0, 1), σ² the mean over channels of a normalisation's
    batch variance at x (it restores the scale that normalising removes); normalisations of constant inputs do not
    count. Two forwards of the batch.
    """
    generator = probe.generator("zen")

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator).to(like)

    x, x_2 = normal(probe.images), normal(probe.images)
    weights = [normal(weight) for weight in probe.weights]
    norms = [module for module in probe.body.modules() if isinstance(module, nn.BatchNorm2d)]
    variances: list[Tensor] = []
    with probe.view(weights), torch.no_grad():
        for norm in norms:  # undone by the view
            norm.forward = partial(_record_variance, norm, variances)  # type: ignore[method-assign]
        before = probe.body.features(x)
        at_x = list(variances)
        change = (probe.body.features(x + GAMMA * x_2) - before).abs().sum((1, 2, 3)).mean().double()
    check_finite("change of the features", change)
    if not bool(change > 0):
        raise NasError("The network's features do not depend on the image, so the logarithm of their change is -inf.")
    scales = torch.stack([torch.ones_like(change), *at_x])
    scales = torch.where(scales == 0, 1.0, scales)
    return (change.log() + scales.log().sum() / 2).item()


def _record_variance(norm: nn.BatchNorm2d, variances: list[Tensor], x: Tensor) -> Tensor:
    """Normalise, and append the mean over channels of the batch variance to `variances`."""
    out, _, rstd = torch.native_batch_norm(x, norm.weight, norm.bias, None, None, True, 0.0, norm.eps)
    variance = rstd.double() ** -2 - norm.eps
    variances.append(torch.where(variance <= 1e-6 * norm.eps, 0.0, variance).mean())  # smaller ones are rounding errors
    return out
