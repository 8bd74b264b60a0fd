"""Bring images to one size: bilinear with antialiasing, rounded back to bytes."""

from __future__ import annotations

import numpy as np
import torch

_CHUNK = 1000  # images at a time: float copies of a whole data set would not fit everywhere


def resized(images: np.ndarray, size: int | None) -> np.ndarray:
    """uint8 (N, 3, H, W) to uint8 (N, 3, size, size); the same array where nothing is to be done."""
    if size is None or images.shape[2:] == (size, size):
        return images
    out = np.empty((*images.shape[:2], size, size), dtype=np.uint8)
    for start in range(0, len(images), _CHUNK):
        chunk = torch.from_numpy(images[start : start + _CHUNK]).float()
        chunk = torch.nn.functional.interpolate(
            chunk, size=(size, size), mode="bilinear", antialias=True, align_corners=False
        )
        out[start : start + _CHUNK] = chunk.round_().clamp_(0, 255).to(torch.uint8).numpy()
    return out
