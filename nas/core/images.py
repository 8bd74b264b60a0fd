"""Images as networks take them: convert bytes to floats in [0, 1], and check that images are such floats."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.core.errors import InputError


def unit_range(images: Tensor) -> Tensor:
    """Bytes (B, C, H, W) to floats in [0, 1], channels last in memory; images that are floats are in [0, 1] already."""
    scaled = images.float() if images.is_floating_point() else images.float().div_(255)
    return scaled.contiguous(memory_format=torch.channels_last)


def check_unit_range(images: Tensor) -> None:
    """Raises `InputError` unless `images` are floats in [0, 1]: the networks normalise them themselves."""
    if not images.is_floating_point():
        raise InputError(f"Expected images as floats in [0, 1] but got {images.dtype}; divide bytes by 255.")
    low, high = (images.min().item(), images.max().item()) if images.numel() else (0.0, 0.0)
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"Expected images in [0, 1] but got values from {low:.4g} to {high:.4g}; do not normalise "
            "them (the networks do), and divide bytes by 255."
        )
