"""How sharp the validation loss is in the architecture parameters: the dominant eigenvalue of its Hessian."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def dominant_eigenvalue(
    loss: Tensor,
    parameters: Sequence[Tensor],
    generator: torch.Generator,
    iterations: int = 20,
    tolerance: float = 1e-2,
) -> float:
    """The eigenvalue of ∂²loss/∂parameters² that is largest in magnitude, with its sign, by power iteration.

    One Hessian-vector product (a backward through the gradient) per iteration, until the Rayleigh quotient changes by
    less than `tolerance` of itself. `generator` draws the first vector. It is what Zela et al. (ICLR 2020,
    arXiv:1909.09656) watch during DARTS.
    """
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    vector = [torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device) for p in parameters]
    value = 0.0
    for _ in range(iterations):
        vector = _scaled(vector)
        product = torch.autograd.grad(gradients, parameters, grad_outputs=vector, retain_graph=True)
        before, value = value, sum((v * p).sum() for v, p in zip(vector, product)).item()  # type: ignore[union-attr]
        if abs(value - before) <= tolerance * abs(value):
            break
        vector = list(product)
    return value


def _scaled(vector: list[Tensor]) -> list[Tensor]:
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(part) for part in vector]))
    return [part / norm.clamp_min(1e-30) for part in vector]
