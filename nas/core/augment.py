"""Augmentation of whole batches on the device they are on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Each image (B, C, H, W) moved by up to `padding` pixels in both directions, filled with 0."""
    batch, channels, height, width = images.shape
    device = images.device
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(0, 2 * padding + 1, (2, batch), generator=generator, device=device)
    rows = (top[:, None] + torch.arange(height, device=device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=device))[:, None, None, :]
    index = torch.arange(batch, device=device)[:, None, None, None]
    return padded[index, torch.arange(channels, device=device)[None, :, None, None], rows, columns]


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images mirrored left–right."""
    flip = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def cutout(images: Tensor, side: int, fill: Tensor, generator: torch.Generator) -> Tensor:
    """A square of `side` pixels around a random centre set to `fill` (1, C, 1, 1) (DeVries and Taylor 2017)."""
    batch, _, height, width = images.shape
    device = images.device
    row = torch.randint(0, height, (batch, 1), generator=generator, device=device)
    column = torch.randint(0, width, (batch, 1), generator=generator, device=device)
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)
    in_rows = (rows >= row - side // 2) & (rows < row + (side + 1) // 2)
    in_columns = (columns >= column - side // 2) & (columns < column + (side + 1) // 2)
    square = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return torch.where(square, fill.to(images), images)
