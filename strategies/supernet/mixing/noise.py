"""Perturbations of the mixture, with which the weights of a supernet learn: the loss shall be flat in the mixture.

Source: Chen and Hsieh, Stabilizing Differentiable Architecture Search via Perturbation-based Regularization, ICML 2020
(arXiv:2002.05283), section 3; the steps of the adversarial one are those of the release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.core.registry import Registry

Weights = dict[str, Tensor]  # cell name → weights of the operations, (edges, operations)
Loss = Callable[[Weights], Tensor]


@dataclass(frozen=True)
class MixtureNoise:
    """`compute(weights, loss, radius, steps, generator)` moves each weight by at most `radius`, on the simplex.

    `loss(weights)` is that of the batch of the weights' step with another mixture. `passes(steps)` counts how often
    it is evaluated. The result carries no gradient.
    """

    name: str
    compute: Callable[[Weights, Loss, float, int, torch.Generator], Weights]
    passes: Callable[[int], int]
    references: tuple[str, ...] = ()  # keys of the bibliography, or BibTeX entries


def on_simplex(weights: Tensor, original: Tensor) -> Tensor:
    """The weights clipped to [0, 1] and divided by their sum on each edge; those that were 0 stay 0.

    An edge whose weights are all clipped to 0 keeps its original ones.
    """
    clipped = weights.clamp(0, 1) * (original > 0)
    total = clipped.sum(1, keepdim=True)
    return torch.where(total > 0, clipped / total, original)


def uniform(weights: Weights, loss: Loss, radius: float, steps: int, generator: torch.Generator) -> Weights:
    """The weights plus U(-radius, radius), back on the simplex; takes no pass."""
    return {
        name: on_simplex(one + torch.empty_like(one).uniform_(-radius, radius, generator=generator), one)
        for name, one in weights.items()
    }


def adversarial(weights: Weights, loss: Loss, radius: float, steps: int, generator: torch.Generator) -> Weights:
    """`steps` signed gradient steps of 2·radius/steps that raise the loss, from a uniform start.

    After each step the weights are at most `radius` from the original ones, then back on the simplex. The original
    ones are kept where the loss of the last point is lower than theirs.
    """
    with torch.no_grad():
        before = loss(weights)
    moved = uniform(weights, loss, radius, steps, generator)
    for _ in range(steps):
        leaves = {name: one.detach().requires_grad_() for name, one in moved.items()}
        gradients = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
        with torch.no_grad():
            for (name, leaf), gradient in zip(leaves.items(), gradients):
                if gradient is not None:
                    change = leaf + 2 * radius / steps * gradient.sign() - weights[name]
                    moved[name] = on_simplex(weights[name] + change.clamp(-radius, radius), weights[name])
    with torch.no_grad():
        return weights if loss(moved) < before else moved


random_noise = MixtureNoise("random", uniform, lambda steps: 0, ("chen2020sdarts",))
adversarial_noise = MixtureNoise("adversarial", adversarial, lambda steps: steps + 2, ("chen2020sdarts",))

MIXTURE_NOISES: Registry[MixtureNoise] = Registry(
    "mixture noise", "nas.strategies.supernet.mixing", "nas.rnas", lambda value: isinstance(value, MixtureNoise)
)
