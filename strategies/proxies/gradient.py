"""Proxies from the gradient of the loss with respect to the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.strategies.proxies.base import proxy
from nas.strategies.proxies.passes.probe import Probe
from nas.strategies.proxies.passes.quantities import hessian_gradient, saliency, weight_grads

ABDELFATTAH = "Abdelfattah et al., ICLR 2021 (arXiv:2101.08134)"


def total(values: list[Tensor]) -> float:
    """Σ of scalars, in double precision and with one transfer from the device."""
    return torch.stack([value.double() for value in values]).sum().item()


@proxy("grad_norm", source=ABDELFATTAH, references=("abdelfattah2021zerocost",), uses=[weight_grads], passes=1.0)
def grad_norm(probe: Probe, options: Any) -> float:
    """Norm of the gradient: Σ over layers of ‖∂CE/∂w‖₂. Never below 0."""
    return total([g.norm() for g in probe.quantity(weight_grads)])


@proxy(
    "snip",
    source="Lee et al., ICLR 2019 (arXiv:1810.02340), eq. 6",
    references=("lee2019snip",),
    uses=[weight_grads],
    passes=1.0,
)
def snip(probe: Probe, options: Any) -> float:
    """Sensitivity of the loss to removing each weight: Σ |w·∂CE/∂w|. Never below 0."""
    return total([(w * g).abs().sum() for w, g in zip(probe.weights, probe.quantity(weight_grads))])


@proxy("plain", source=ABDELFATTAH, references=("abdelfattah2021zerocost",), uses=[weight_grads], passes=1.0)
def plain(probe: Probe, options: Any) -> float:
    """Change of the loss with the scale of the weights: Σ w·∂CE/∂w, signed."""
    return total([(w * g).sum() for w, g in zip(probe.weights, probe.quantity(weight_grads))])


@proxy(
    "grasp",
    source="Wang et al., ICLR 2020 (arXiv:2002.07376), eq. 8",
    references=("wang2020grasp",),
    uses=[hessian_gradient],
    passes=3.0,
)
def grasp(probe: Probe, options: Any) -> float:
    """Change of the gradient's norm when weights are removed: -Σ w·(Hg), H the Hessian of CE, g its gradient."""
    return 0.0 - total([(w * hg).sum() for w, hg in zip(probe.weights, probe.quantity(hessian_gradient))])


@proxy(
    "fisher",
    source="Turner et al., ICLR 2020 (arXiv:1906.04113), eq. 3",
    references=("turner2020blockswap",),
    uses=[saliency],
    passes=1.0,
)
def fisher(probe: Probe, options: Any) -> float:
    """Fisher information of the channels: Σ over layers, channels of ½·mean_B((Σ_hw a·∂CE/∂a)²)·C_in·k².

    a is the layer's output; each channel counts once for every weight that leads to it, as in the published score
    tables. Never below 0.
    """
    channels = [s.square().mean(0).sum() / 2 for s in probe.quantity(saliency)]
    return total([channel * weight[0].numel() for channel, weight in zip(channels, probe.weights)])


@proxy("l2_norm", source=ABDELFATTAH, references=("abdelfattah2021zerocost",), batch_norm="none", passes=0.0)
def l2_norm(probe: Probe, options: Any) -> float:
    """Norm of the untrained weights: Σ over layers of ‖w‖₂. Never below 0."""
    return total([w.norm() for w in probe.weights])


@proxy(
    "zico",
    domain="log",
    source="Li et al., ICLR 2023 (arXiv:2301.11300), eq. 13",
    references=("li2023zico",),
    uses=[weight_grads],
    passes=2.0,
    batches=2,
)
def zico(probe: Probe, options: Any) -> float:
    """Steadiness of the gradient over two batches: Σ over layers of log Σ_w mean|g|/std(g).

    mean and (population) standard deviation of each weight's gradient over the two batches; weights whose gradient
    does not vary are left out, and so are layers of such weights only. If a gradient is not finite, there is no value.
    """
    images, labels = probe.second
    layers = []
    for first, second in zip(probe.quantity(weight_grads), probe.run(inputs=images, labels=labels)):
        mean, std = (first.abs() + second.abs()) / 2, (first - second).abs() / 2
        ratio = torch.where(std == 0, 0.0, mean / std).double().sum()  # a test for std > 0 would hide NaN
        layers.append(torch.where(ratio == 0, 1.0, ratio).log())
    return total(layers)
