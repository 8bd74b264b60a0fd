"""Perturb inputs inside an L∞ or L2 ball: noise, FGSM, PGD and MI-FGSM of any objective.

Training, supernets and proxies use these functions. For reported accuracies, `nas.eval` uses FGSM, PGD and MI-FGSM of
torchattacks if it is installed, and those of this file otherwise. With the cross-entropy as the objective both give the
same bits on a CPU in float32, so the order of operations and random draws here is part of the result. All other
reported attacks come from libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.core.optimisation.shards import BatchShard, own_rows

Objective = Callable[[Tensor], Tensor]
Walk = tuple[float, float]  # of an attack: the number of steps, and the length of a step in the norm of the ball
Bounds = tuple[float, float] | None
SMALLEST_NORM = 1e-10  # added to the norm of a gradient before dividing by it


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Put `module` into eval mode during a block; every submodule gets its previous mode back."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def is_short(walk: Walk | None, eps: float) -> bool:
    """Whether the steps of an attack cannot reach the boundary of its ball: steps · step < eps, apart from rounding."""
    return walk is not None and walk[0] * walk[1] < eps * (1 - 1e-9)


def project(x_adv: Tensor, x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """The nearest point of the ball |x_adv - x|∞ ≤ eps that also lies in `bounds`."""
    inside = x + (x_adv - x).clamp(-eps, eps)
    return inside if bounds is None else inside.clamp(*bounds)


def project_l2(x_adv: Tensor, x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """The nearest point of the ball ‖x_adv - x‖₂ ≤ eps of each image, then clipped to `bounds`."""
    delta = x_adv - x
    inside = x + delta * (eps / _norms(delta)).clamp(max=1)
    return inside if bounds is None else inside.clamp(*bounds)


def _norms(x: Tensor) -> Tensor:
    """‖x‖₂ of each image, (B, C, H, W) to (B, 1, 1, 1)."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1).view(-1, *(1,) * (x.dim() - 1))


def uniform_noise(
    x: Tensor,
    eps: float,
    generator: torch.Generator | None = None,
    bounds: Bounds = (0.0, 1.0),
    shard: BatchShard | None = None,
) -> Tensor:
    """x + U(-eps, eps) per pixel, clipped to `bounds`; drawn for the whole batch if x is a `shard` of it."""
    noise = own_rows(_whole(x, shard).uniform_(-eps, eps, generator=generator), shard)
    return x + noise if bounds is None else (x + noise).clamp(*bounds)


def normal_noise(
    x: Tensor, scale: float, generator: torch.Generator | None = None, shard: BatchShard | None = None
) -> Tensor:
    """x + scale·N(0, 1) per pixel, not clipped; drawn for the whole batch if x is a `shard` of it."""
    return x + scale * own_rows(_whole(x, shard).normal_(generator=generator), shard)


def ball_noise(x: Tensor, eps: float, bounds: Bounds = (0.0, 1.0)) -> Tensor:
    """x + r·eps·u for each image, u a unit vector of uniform direction and r from U(0, 1), clipped to `bounds`."""
    noise = torch.empty_like(x).normal_()
    norms = _norms(noise)
    moved = x + noise * (torch.zeros_like(norms).uniform_(0, 1) / norms * eps)
    return moved if bounds is None else moved.clamp(*bounds)


def _whole(x: Tensor, shard: BatchShard | None) -> Tensor:
    """An uninitialised whole batch in the memory format of x: random numbers are drawn in memory order."""
    if shard is None:
        return torch.empty_like(x)
    channels_last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    return torch.empty((shard.total, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=memory_format)


def input_gradient(objective: Objective, x: Tensor) -> Tensor:
    """∂objective/∂x, 0 if the objective does not depend on x; no gradients of weights are computed or stored."""
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
    """x + eps·sign(gradient), clipped to `bounds`; the sign of NaN is 0."""
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

    Π projects on the eps-ball around x and on `bounds`. `start` is the first point (usually `uniform_noise(x, eps)`),
    x itself by default. Costs one forward and one input-only backward per step.
    """
    x_adv = x if start is None else start
    for _ in range(steps):
        x_adv = project(x_adv.detach() + step * input_gradient(objective, x_adv).sign(), x, eps, bounds)
    return x_adv.detach()


def pgd_l2(
    objective: Objective,
    x: Tensor,
    eps: float,
    step: float,
    steps: int,
    *,
    start: Tensor | None = None,
    bounds: Bounds = (0.0, 1.0),
) -> Tensor:
    """`pgd` in the L2 ball: steps of length `step` along the gradient g of each image, x' ← Π(x' + step·g/‖g‖₂).

    `start` is the first point (usually `ball_noise(x, eps)`), x itself by default.
    """
    x_adv = x if start is None else start
    for _ in range(steps):
        gradient = input_gradient(objective, x_adv)
        direction = gradient / (_norms(gradient) + SMALLEST_NORM)
        x_adv = project_l2(x_adv.detach() + step * direction, x, eps, bounds)
    return x_adv.detach()


def mifgsm(
    objective: Objective,
    x: Tensor,
    eps: float,
    step: float,
    steps: int,
    *,
    decay: float = 1.0,
    bounds: Bounds = (0.0, 1.0),
) -> Tensor:
    """`pgd` with momentum, m ← decay·m + g/mean|g|, x' ← Π(x' + step·sign(m)) (Dong et al., CVPR 2018).

    Once the gradient of an image is 0 everywhere, the image stays where it is: its momentum is 0/0, whose sign is 0.
    """
    x_adv, momentum = x, torch.zeros_like(x)
    for _ in range(steps):
        gradient = input_gradient(objective, x_adv)
        momentum = gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True) + decay * momentum
        x_adv = project(x_adv.detach() + step * momentum.sign(), x, eps, bounds)
    return x_adv.detach()
