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
    """The size of the perturbation of the weights, and the epoch from which on they are perturbed."""

    awp: float = 0.0  # adversarial weight perturbation: its size over that of the weights; 0 for none
    awp_warmup: int = 0  # epochs without it at the beginning

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
    """Run a block in which each weight tensor w is w + gamma·‖w‖·g/‖g‖, where g is the gradient of the loss at w.

    `losses` are the parts of the batch's loss, computed one by one; those of all processes are added. Tensors of one
    dimension (normalisation, biases) are not perturbed, and the extra pass does not change running statistics. After
    the block, before the optimiser's step, the weights are as before, so weight decay acts on them (in the authors'
    code it acts on the perturbed weights).
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
