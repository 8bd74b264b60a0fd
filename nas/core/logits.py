"""Which images are classified correctly according to their logits, and which get no answer."""

from __future__ import annotations

from torch import Tensor


def finite(logits: Tensor) -> Tensor:
    """(B,) whether all logits (B, classes) of an image are finite; otherwise the image has no answer."""
    return logits.isfinite().all(1)


def correct(logits: Tensor, y: Tensor) -> Tensor:
    """(B,) whether the largest logit (B, classes) of each image is that of its class y (B,) and all are finite.

    `argmax` alone would treat NaN as the largest: an image whose logits are all NaN would be of class 0.
    """
    return (logits.argmax(1) == y) & finite(logits)
