"""How sharply the loss bends around an image: the largest eigenvalue of its Hessian with respect to the pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 20  # a network of ReLUs has a Hessian of rank < classes, and so many steps are then exact for 20 classes
BREAKDOWN = 1e-6  # a next vector shorter than this share of the scale is rounding: the space is exhausted

Product = Callable[[Tensor], Tensor]


def input_hessian(network: nn.Module, x: Tensor, y: Tensor) -> Product:
    """The map v ↦ H v (both (B, pixels)), H of each image the Hessian of its cross-entropy (nats) in its pixels.

    All B Hessians are applied at once: in eval mode the loss of one image does not depend on the others, so the
    Hessian of the sum is block-diagonal. Costs a forward and two backward passes, then about as much per product.
    """
    x = x.detach().requires_grad_(True)
    loss = F.cross_entropy(network(x), y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)

    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a gradient that is constant by construction
            return torch.zeros_like(v)
        (found,) = torch.autograd.grad(gradient, x, v.view_as(x), retain_graph=True, allow_unused=True)
        return torch.zeros_like(v) if found is None else found.flatten(1)

    return product


def largest_eigenvalue(product: Product, start: Tensor, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    """The largest (not the largest absolute) eigenvalue of B symmetric matrices, and a bound of its error, both (B,).

    Lanczos from `start` (B, d), reorthogonalised against all previous vectors; the largest eigenvalue θ of the
    tridiagonal T is never above the true one, and some eigenvalue lies within β·|s_last| of it (s: T's eigenvector).
    No step waits for the device. Source: Golub and Van Loan, Matrix Computations, section 10.1.
    """
    steps = min(steps, start.shape[1])
    v = start / start.norm(dim=1, keepdim=True)
    basis: list[Tensor] = [v]
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    alive = torch.ones(len(v), dtype=torch.bool, device=v.device)
    scale = torch.zeros(len(v), device=v.device, dtype=v.dtype)
    for _ in range(steps):
        w = product(basis[-1])
        alpha = (w * basis[-1]).sum(1)
        alphas.append(torch.where(alive, alpha, alphas[0] if alphas else alpha))  # a filler that is never the largest
        known = torch.stack(basis, 1)  # (B, k, d)
        for _ in range(2):  # once leaves what rounding brings back
            w = w - torch.einsum("bk,bkd->bd", torch.einsum("bkd,bd->bk", known, w), known)
        beta = w.norm(dim=1)
        scale = torch.maximum(scale, alpha.abs() + beta)
        alive = alive & (beta > BREAKDOWN * scale)
        betas.append(torch.where(alive, beta, 0))
        basis.append(torch.where(alive[:, None], w / beta.clamp_min(torch.finfo(w.dtype).tiny)[:, None], 0))
    diagonal, off = torch.stack(alphas, 1).double(), torch.stack(betas, 1).double()
    tridiagonal = diagonal.diag_embed() + off[:, :-1].diag_embed(1) + off[:, :-1].diag_embed(-1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    return values[:, -1], off[:, -1] * vectors[:, -1, -1].abs()
