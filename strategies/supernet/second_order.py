"""The second-order gradient of DARTS: that of α through one step of the weights (Liu et al., ICLR 2019, eq. 7–8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.robust_loss import Terms

RADIUS = 0.01  # of the finite difference, divided by ‖v‖


def second_order_gradient(
    supernet: Supernet,
    alpha_loss: Callable[[], Terms],
    weight_loss: Callable[[], Terms],
    optimizer: torch.optim.SGD,
) -> tuple[list[Tensor], Terms]:
    """∇_α L_val(w'(α), α) with w' = w - ξ·(∇_w L_train(w, α) + wd·w + momentum·buffer), and the terms of L_val at w'.

    The gradient is ∇_α L_val(w', α) - ξ·∇²_{αw} L_train(w, α)·v with v = ∇_w' L_val(w', α) (eq. 7). The product is the
    central difference (∇_α L_train(w + r·v, α) - ∇_α L_train(w - r·v, α)) / 2r with r = 0.01/‖v‖ (eq. 8). The step is
    that of `optimizer`, as in the authors' release. The optimizer and the weights are left unchanged.

    The losses are evaluated at the weights that the supernet has when they are called. `weight_loss` must always be the
    same function, with fixed perturbed images, because its difference between two points is taken.
    """
    weights, alphas = supernet.weights(), supernet.architecture_parameters()
    group = optimizer.param_groups[0]
    rate = group["lr"]
    with differentiate_only(supernet, weights):
        slope = gradients(weight_loss().total, weights)
    saved = [weight.detach().clone() for weight in weights]
    try:
        with torch.no_grad():
            for weight, gradient in zip(weights, slope):
                buffer = optimizer.state[weight].get("momentum_buffer") if weight in optimizer.state else None
                step = gradient + group["weight_decay"] * weight
                velocity = step if buffer is None else step + group["momentum"] * buffer
                weight.sub_(rate * (step + group["momentum"] * velocity if group["nesterov"] else velocity))
        with differentiate_only(supernet, [*alphas, *weights]):
            terms = alpha_loss()
            slopes = gradients(terms.total, [*alphas, *weights])
        direct, direction = slopes[: len(alphas)], slopes[len(alphas) :]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(v) for v in direction]))
        radius = RADIUS / norm.clamp_min(1e-12)
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for weight, old, v in zip(weights, saved, direction):
                    weight.copy_(old + sign * radius * v)
            with differentiate_only(supernet, alphas):
                sides.append(gradients(weight_loss().total, alphas))
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, saved):
                weight.copy_(old)
    implicit = [(plus - minus) / (2 * radius) for plus, minus in zip(*sides)]
    return [first - rate * second for first, second in zip(direct, implicit)], terms


def gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """∂loss/∂parameters; 0 for those that the loss does not depend on."""
    if not loss.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(one) if slope is None else slope for one, slope in zip(parameters, found)]
