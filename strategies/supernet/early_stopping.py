"""When a supernet search ends early: with too many skip connections, or when the validation loss becomes sharp."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor

from nas.core.eigenvalues import dominant_eigenvalue
from nas.results import SupernetEpoch
from nas.strategies.supernet.options import BilevelOptions

WINDOW = 5  # epochs over which eigenvalues are averaged
EPOCHS_BACK = 5  # epochs between the two averages that are compared
SHARPENING_RATIO = 0.75  # stop if the old average is less than this share of the new one


class EarlyStop(NamedTuple):
    """Why a search ends before its last epoch, and with which architecture."""

    reason: str
    chosen: SupernetEpoch  # the epoch whose architecture is taken


def early_stop(options: BilevelOptions, history: Sequence[SupernetEpoch]) -> EarlyStop | None:
    """Why the search ends after the last epoch of `history`; None if it goes on, as always in the warm-up."""
    last = history[-1]
    if last.warm_up:
        return None
    first, skips = next(iter(last.skips.items()))  # of the normal cell, or the only one
    if options.stop_skips is not None and skips >= options.stop_skips:
        return EarlyStop(f"{skips} skip connections in the {first.removeprefix('skips_')} cell", last)
    eigenvalues = [epoch.eigenvalue for epoch in history if epoch.eigenvalue is not None]
    if options.stop_eigenvalue and has_sharpened(eigenvalues):
        reason = "the validation loss became sharp in the architecture parameters"
        return EarlyStop(reason, history[-1 - EPOCHS_BACK])
    return None


def is_collapsing(skips: int, edges: int) -> bool:
    """Whether more than half of a derived cell's edges are skip connections: DARTS's well-known failure."""
    return 2 * skips > edges


def has_sharpened(eigenvalues: Sequence[float]) -> bool:
    """Whether mean λ(i - 5) / mean λ(i) < 0.75, i the last epoch, each mean over 5 epochs up to that one.

    False before 10 epochs, and if a mean is not positive. The architecture to take then is that of epoch i - 5.
    Source: Zela et al., ICLR 2020 (arXiv:1909.09656), whose means are centred on the epoch.
    """
    if len(eigenvalues) < WINDOW + EPOCHS_BACK:
        return False
    old, new = fmean(eigenvalues[-EPOCHS_BACK - WINDOW : -EPOCHS_BACK]), fmean(eigenvalues[-WINDOW:])
    return 0 < old < SHARPENING_RATIO * new


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
