"""A proxy of how curved the loss is around the images."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.eigenvalues import dominant_eigenvalue
from nas.core.errors import InputError
from nas.strategies.proxies.base import BatchOptions, proxy
from nas.strategies.proxies.passes.autograd import grads_of
from nas.strategies.proxies.passes.double_backward import double_backward
from nas.strategies.proxies.passes.hooks import on_input
from nas.strategies.proxies.passes.probe import Probe


@dataclass
class HessianOptions(BatchOptions):
    batch_size: int = 16  # images of the training part
    iterations: int = 10  # of the power method; each is one input-only Hessian-vector product

    def check(self) -> None:
        super().check()
        if not 1 <= self.iterations <= 10_000:
            raise InputError(
                f"Expected proxies.hessian.iterations between 1 and 10000 but got {self.iterations}; ten are usual."
            )


@proxy(
    "hessian",
    higher_is_better=False,
    mode="eval",
    batch_norm="the batch's statistics, held fixed",
    source="Zhao et al., ICLR 2020 (arXiv:2005.00060), the largest eigenvalue of the input Hessian",
    references=("zhao2020bridging",),
    options=HessianOptions,
    passes=lambda options: 1 + (options.iterations + 1) * 2 / 3,
)
def hessian(probe: Probe, options: HessianOptions) -> float:
    """Largest eigenvalue of ∂²CE/∂x² of an image, mean over the batch; lower means flatter.

    By the power method: v ← Hv/‖Hv‖, λ = vᵀHv at the end. x is the normalised image. The statistics of batch
    normalisation are those of the batch, held fixed, so that images do not affect each other.
    """
    norms = [module for module in probe.body.modules() if isinstance(module, nn.BatchNorm2d)]
    statistics: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def keep(number: int, a: Tensor) -> None:
        statistics[norms[number]] = (a.mean((0, 2, 3)), a.var((0, 2, 3), unbiased=False))

    with probe.view(), torch.no_grad(), ExitStack() as hooks:
        on_input(norms, hooks, keep)
        probe.body(probe.images)
    x = probe.images.detach().requires_grad_(True)
    start = torch.randn(x.shape, generator=probe.generator("hessian")).to(x)
    with probe.view(batch_norm=statistics), double_backward(probe.body) as products, torch.enable_grad():
        products.to_weights = False
        loss = F.cross_entropy(probe.body(x), probe.labels, reduction="sum")
        (gradient,) = grads_of(loss, [x], create_graph=True)

        def product(v: Tensor) -> Tensor:
            return grads_of((gradient * v.view_as(x)).sum(), [x], retain_graph=True)[0].flatten(1)

        curvature = dominant_eigenvalue(product, start.flatten(1), options.iterations + 1)
    return curvature.double().mean().item()
