"""Perturb inputs inside an L∞ ball: noise, FGSM and PGD of any objective, for training, supernets and proxies.

Reported robustness never comes from here; it comes from the attack libraries (`nas.eval`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.core.share import Share

Objective = Callable[[Tensor], Tensor]
Walk = tuple[float, float]  # of an attack: how many steps, and how long each is in the norm of its ball
Bounds = tuple[float, float] | None


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a block with `module` in eval mode; every submodule gets its previous mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def is_short(walk: Walk | None, eps: float) -> bool:
    """Whether the steps of an attack cannot cross the radius of its ball: steps · step < eps, rounding aside."""
    return walk is not None and walk[0] * walk[1] < eps * (1 - 1e-9)


def project(x_adv: Tensor, x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """The nearest point of the ball |x_adv - x|∞ ≤ eps that also lies in `bounds`."""
    inside = x + (x_adv - x).clamp(-eps, eps)
    return inside if bounds is None else inside.clamp(*bounds)


def uniform_noise(
    x: Tensor,
    eps: float,
    generator: torch.Generator | None = None,
    bounds: Bounds = (0.0, 1.0),
    share: Share | None = None,
) -> Tensor:
    """x + U(-eps, eps) per pixel, clipped to `bounds`; drawn for the whole batch where x is a `share` of it."""
    noise = _own(_whole(x, share).uniform_(-eps, eps, generator=generator), share)
    return x + noise if bounds is None else (x + noise).clamp(*bounds)


def normal_noise(
    x: Tensor, scale: float, generator: torch.Generator | None = None, share: Share | None = None
) -> Tensor:
    """x + scale·N(0, 1) per pixel, not clipped; drawn for the whole batch where x is a `share` of it."""
    return x + scale * _own(_whole(x, share).normal_(generator=generator), share)


def _whole(x: Tensor, share: Share | None) -> Tensor:
    """An empty batch in the memory format of x: numbers are drawn in the order of the memory."""
    if share is None:
        return torch.empty_like(x)
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    memory_format = torch.channels_last if last else torch.contiguous_format
    return torch.empty((share.total, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=memory_format)


def _own(drawn: Tensor, share: Share | None) -> Tensor:
    return drawn if share is None else share.of(drawn)


def input_gradient(objective: Objective, x: Tensor) -> Tensor:
    """∂objective/∂x, 0 where x does not enter; gradients of the weights are neither computed nor left behind."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(objective(x), x, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient


def fgsm(objective: Objective, x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """x + eps·sign(∂objective/∂x): one step that raises `objective` (Goodfellow et al., ICLR 2015).

    One forward and one input-only backward. `objective` maps a batch of inputs to a scalar.
    """
    return signed_step(x, input_gradient(objective, x), eps, bounds)


def signed_step(x: Tensor, gradient: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """x + eps·sign(gradient), in `bounds`; the sign of NaN is 0."""
    x_adv = x + eps * gradient.sign()
    return x_adv if bounds is None else x_adv.clamp(*bounds)


def pgd(
    objective: Objective,
    x: Tensor,
    eps: float,
    step: float,
    steps: int,
    *,
    start: Tensor | None = None,
    bounds: Bounds = (0.0, 1.0),
) -> Tensor:
    """`steps` steps x' ← Π(x' + step·sign(∂objective/∂x')) that raise `objective` (Madry et al., ICLR 2018).

    Π projects on the eps-ball around x and on `bounds`. `start` is where to begin (usually `uniform_noise(x, eps)`),
    x itself by default. Costs one forward and one input-only backward per step.
    """
    x_adv = x if start is None else start
    for _ in range(steps):
        x_adv = project(x_adv.detach() + step * input_gradient(objective, x_adv).sign(), x, eps, bounds)
    return x_adv.detach()
