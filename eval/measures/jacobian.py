"""How strongly the logits depend on the pixels: the Frobenius norm of the Jacobian."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def jacobian_norms(network: nn.Module, x: Tensor) -> Tensor:
    """‖∂logits/∂x‖_F = √Σ_{c,i} (∂z_c/∂x_i)² of each image, (B,), in logits per unit of the [0, 1] range.

    Exact: one forward and, for each class, one backward pass to the input. Lower is smoother.
    Source: Hoffman et al. 2019 (arXiv:1908.02729), eq. 5, which they estimate by random projections.
    """
    x = x.detach().requires_grad_(True)
    logits = network(x)
    squares = torch.zeros(len(x), device=x.device, dtype=x.dtype)
    last = logits.shape[1] - 1
    for label in range(last + 1):
        (gradient,) = torch.autograd.grad(logits[:, label].sum(), x, retain_graph=label < last)
        squares += gradient.flatten(1).square().sum(1)
    return squares.sqrt()
