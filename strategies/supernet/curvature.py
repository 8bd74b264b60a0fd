"""How sharp the validation loss is in the architecture parameters: the dominant eigenvalue of its Hessian."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.core.eigenvalues import dominant_eigenvalue


def loss_sharpness(
    loss: Tensor,
    parameters: Sequence[Tensor],
    generator: torch.Generator,
    iterations: int = 20,
    tolerance: float = 1e-2,
) -> float:
    """The eigenvalue of ∂²loss/∂parameters² that is largest in magnitude, with its sign, by power iteration.

    One Hessian-vector product (a backward through the gradient) per iteration, until the eigenvalue changes by less
    than `tolerance` of itself. `generator` draws the first vector. Zela et al. (ICLR 2020, arXiv:1909.09656) watch this
    number during DARTS.
    """
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    start = [torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device) for p in parameters]

    def product(v: Tensor) -> Tensor:
        parts = [part.view_as(p) for part, p in zip(v[0].split([p.numel() for p in parameters]), parameters)]
        return _row(torch.autograd.grad(gradients, parameters, grad_outputs=parts, retain_graph=True))

    return dominant_eigenvalue(product, _row(start), iterations, tolerance).item()


def _row(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])[None]
