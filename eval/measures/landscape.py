"""The loss around test images, in the plane of two directions: the signs of the gradient and random signs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.io.records import Record
from nas.core.logits import correct, finite
from nas.core.optimisation.attack_steps import input_gradient
from nas.eval.non_finite import total
from nas.results import Count, Landscape

EXAMPLE_SURFACES = 3  # images whose own surfaces are stored: a mean over images looks smooth even if none is


@dataclass(frozen=True, kw_only=True)
class BatchSums(Record):
    """Sums over a batch of images at every one of the P×P points of the plane: of the loss, and of correct images.

    `examples` has the loss of each of the first images, or None where it is not finite.
    """

    images: int
    loss: list[list[float]]  # of the images with finite logits
    answered: list[list[int]] | None = None  # number of these images; None: an earlier version summed over all images
    non_finite: Count = None  # the number of images with a non-finite logit somewhere on the plane
    right: list[list[int]]
    examples: list[list[list[float | None]]]


def axis(eps: float, reach: float, points: int) -> list[float]:
    """The coordinates of both directions: `points` from -reach·eps to reach·eps, 0 in the middle."""
    half = points // 2
    return [reach * eps * number / half for number in range(-half, half + 1)]


def surfaces(
    network: nn.Module, x: Tensor, y: Tensor, coordinates: list[float], norm: str = "Linf"
) -> tuple[Tensor, Tensor]:
    """Cross-entropy (nats) and whether the prediction is correct, both (P, P, B), at clip(x + a·g + b·r, 0, 1).

    If a logit is not finite, the prediction is wrong and the cross-entropy is NaN.

    g = sign(∂loss/∂x), and r has random signs from torch's global generator. Both have norm 1 (for L2 they are divided
    by the root of the number of pixels), so that a and b are radii; a runs along the first axis. Costs P² + 1 forward
    passes and one backward pass; nothing is copied to the host.
    Source of the plane: Moosavi-Dezfooli et al., CVPR 2019 (arXiv:1811.09716), figure 2.
    """
    g = input_gradient(lambda z: F.cross_entropy(network(z), y, reduction="sum"), x).sign()
    r = torch.randint(0, 2, x.shape, device=x.device).to(x.dtype) * 2 - 1
    if norm == "L2":
        g, r = (direction / math.sqrt(x[0].numel()) for direction in (g, r))
    size = len(coordinates)
    loss = torch.empty(size, size, len(x), device=x.device)
    right = torch.empty(size, size, len(x), device=x.device, dtype=torch.bool)
    with torch.no_grad():
        for row, a in enumerate(coordinates):
            for column, b in enumerate(coordinates):
                logits = network((x + a * g + b * r).clamp(0, 1))
                entropy = F.cross_entropy(logits, y, reduction="none")
                loss[row, column] = entropy.masked_fill(~finite(logits), torch.nan)
                right[row, column] = correct(logits, y)
    return loss, right


def batch_sums(network: nn.Module, x: Tensor, y: Tensor, coordinates: list[float], norm: str = "Linf") -> BatchSums:
    """The sums over the batch `x`."""
    loss, right = surfaces(network, x, y, coordinates, norm)
    missing = loss.isnan()
    return BatchSums(
        images=len(x),
        loss=torch.where(missing, 0, loss).sum(2).tolist(),
        answered=(~missing).sum(2).tolist(),
        non_finite=int(missing.any(0).any(0).sum()),
        right=right.sum(2).tolist(),
        examples=_plain(loss[:, :, :EXAMPLE_SURFACES].movedim(2, 0).tolist()),
    )


def merge(batches: list[BatchSums], coordinates: list[float], eps: float, norm: str) -> Landscape:
    """The landscape over all batches: mean `loss`, `accuracy`, and the `examples` of the first batch.

    The mean loss at a point is over the images with finite logits there, None if there is no such image; `accuracy` is
    over all images. `non_finite` is None if an earlier version, which did not count such images, measured a batch.
    Raises InputError like `total`.
    """
    n = sum(batch.images for batch in batches)
    loss = torch.tensor([batch.loss for batch in batches], dtype=torch.float64).sum(0)
    right = torch.tensor([batch.right for batch in batches], dtype=torch.float64).sum(0)
    counts = (batch.images if batch.answered is None else batch.answered for batch in batches)
    answered = sum(torch.tensor(count, dtype=torch.float64) for count in counts)
    return Landscape(
        images=n,
        eps=eps,
        norm=norm,
        axis=coordinates,
        loss=_plain((loss / answered).tolist()),
        accuracy=(right / n).tolist(),
        examples=_plain(batches[0].examples),
        non_finite=total("the landscape", [batch.non_finite for batch in batches]),
    )


def _plain(values: Any) -> Any:
    """Nested lists with None in place of numbers that are not finite, which JSON cannot write."""
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return values if values is not None and math.isfinite(values) else None
