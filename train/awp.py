"""Adversarial weight perturbation: train at the worst weights near the current ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.core.config import Section
from nas.core.optimisation.distributed import Processes

TINY = 1e-20  # of a norm; a weight without gradient stays where it is


@dataclass
class AWPOptions(Section):
    """How far weights are perturbed, and from when on."""

    awp: float = 0.0  # adversarial weight perturbation: its size over that of the weights; 0 for none
    awp_warmup: int = 0  # epochs without it at the beginning

    def check(self) -> None:
        super().check()
        self.check_between({"awp": (0, 1), "awp_warmup": (0, 1_000_000)})


@contextmanager
def kept_buffers(model: nn.Module) -> Iterator[None]:
    """What the block does to the running statistics is undone."""
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


@contextmanager
def perturbed(model: nn.Module, losses: Iterable[Tensor], gamma: float, processes: Processes) -> Iterator[None]:
    """Within the block each weight tensor w is w + gamma·‖w‖·g/‖g‖, g the gradient of the loss at w.

    `losses` are the parts of the batch's loss, computed one by one; those of all processes add up. Tensors of one
    dimension (normalisation, biases) stay. The running statistics do not see the extra pass. The weights are their own
    again after the block, before the optimiser steps, so that weight decay acts on them (in the authors' code it acts
    on the perturbed ones).
    Source: Wu, Xia and Wang, NeurIPS 2020 (arXiv:2004.05884), eq. 8 to 10, one step.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
    with torch.enable_grad(), kept_buffers(model):
        gradients = [torch.zeros_like(weight) for weight in weights]
        for part in losses:
            for total, gradient in zip(gradients, torch.autograd.grad(part, weights, allow_unused=True)):
                if gradient is not None:
                    total += gradient
    own = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients):
            gradient = processes.sum(gradient)
            weight.add_(gamma * weight.norm() * gradient / gradient.norm().clamp(min=TINY))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, own):
                weight.copy_(value)
