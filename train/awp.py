"""Adversarial weight perturbation: train at the worst weights near the current ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.core.config import Section
from nas.core.optimisation.distributed import Processes

MIN_GRADIENT_NORM = 1e-20  # a weight whose gradient is 0 stays as it is


@dataclass
class AWPOptions(Section):
    """The size of the perturbation of the weights, and the number of epochs before it begins."""

    awp: float = 0.0  # L2 norm of the perturbation of a weight tensor, divided by that of the tensor; 0 for none
    awp_warmup: int = 0  # epochs at the beginning without perturbation

    def check(self) -> None:
        super().check()
        self.check_between({"awp": (0, 1), "awp_warmup": (0, 1_000_000)})


@contextmanager
def restored_buffers(model: nn.Module) -> Iterator[None]:
    """Undo what the block does to the running statistics of batch normalisation."""
    saved = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, value in saved:
            buffer.copy_(value)


@contextmanager
def perturbed_weights(model: nn.Module, losses: Iterable[Tensor], gamma: float, processes: Processes) -> Iterator[None]:
    """Run a block in which w + gamma·‖w‖·g/‖g‖ replaces each weight tensor w, where g is the gradient of the loss at w.

    `losses` are the parts of the batch's loss, computed one by one; g is summed over all processes. Tensors of one
    dimension (normalisation, biases) are not perturbed, and the extra pass does not change running statistics. The
    weights are restored after the block, before the optimiser's step, so weight decay acts on the original weights (in
    the authors' code it acts on the perturbed weights).
    Source: Wu, Xia and Wang, NeurIPS 2020 (arXiv:2004.05884), eq. 8 to 10, one step.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
    with torch.enable_grad(), restored_buffers(model):
        gradients = [torch.zeros_like(weight) for weight in weights]
        for part in losses:
            for total, gradient in zip(gradients, torch.autograd.grad(part, weights, allow_unused=True)):
                if gradient is not None:
                    total += gradient
    originals = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients):
            gradient = processes.sum(gradient)
            weight.add_(gamma * weight.norm() * gradient / gradient.norm().clamp(min=MIN_GRADIENT_NORM))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, originals):
                weight.copy_(value)
