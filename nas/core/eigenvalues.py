"""The largest eigenvalues of symmetric matrices (Hessians) that are known only by their products with vectors.

A product maps v (B, d) to H v (B, d) and applies B matrices at once, one to each row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LANCZOS_STEPS = 20  # exact for networks of ReLUs with up to 20 classes: their input Hessian has a rank < classes
BREAKDOWN = 1e-6  # relative: a new vector shorter than this is rounding error, and the Krylov space is complete

Product = Callable[[Tensor], Tensor]


def largest_eigenvalue(product: Product, start: Tensor, steps: int = LANCZOS_STEPS) -> tuple[Tensor, Tensor]:
    """The largest (not the largest absolute) eigenvalue of B symmetric matrices, and a bound on its error, both (B,).

    Lanczos' method from `start` (B, d), reorthogonalised against all previous vectors. The largest eigenvalue θ of the
    tridiagonal T is never above the true one, and the matrix has an eigenvalue within β·|s_last| of θ, where s is T's
    eigenvector. No step waits for the device. Source: Golub and Van Loan, Matrix Computations, section 10.1.
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
        alphas.append(
            torch.where(alive, alpha, alphas[0] if alphas else alpha)
        )  # repeating the first adds no larger eigenvalue
        known = torch.stack(basis, 1)  # (B, k, d)
        for _ in range(2):  # once would leave rounding errors
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


def dominant_eigenvalue(product: Product, start: Tensor, products: int, tolerance: float = 0.0) -> Tensor:
    """The eigenvalue of largest magnitude, with its sign, of B symmetric matrices: (B,).

    Power iteration from `start` (B, d): v ← v/‖v‖, λ = vᵀHv, v ← Hv, with `products` products at most. It ends earlier
    once every λ changes by no more than `tolerance`·|λ|; with a tolerance of 0 no step waits for the device.
    """
    vector, value = start, torch.zeros(len(start), dtype=start.dtype, device=start.device)
    for _ in range(products):
        vector = unit(vector)
        image = product(vector)
        before, value = value, (vector * image).sum(1)
        if tolerance and bool(((value - before).abs() <= tolerance * value.abs()).all()):
            break
        vector = image
    return value


def unit(v: Tensor) -> Tensor:
    """v/‖v‖ of each row v: 0 if v is 0, NaN if its norm is not finite."""
    norms = v.norm(dim=1, keepdim=True)
    return torch.where(norms.isfinite(), torch.where(norms == 0, 0.0, v / norms), torch.nan)
