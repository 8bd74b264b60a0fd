"""Digital: contrast, elastic transform, JPEG compression, pixelate, and saturate."""

from __future__ import annotations

import io
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from nas.eval.corruptions.base import Corruption, Row, uniform
from nas.eval.corruptions.filters import box_resized, smooth


class Contrast(Corruption):
    """(x - m)·c + m, where m is the mean of each channel of each image."""

    name: ClassVar[str] = "contrast"
    group: ClassVar[str] = "digital"
    small: ClassVar[tuple[Row, ...]] = ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,))
    large: ClassVar[tuple[Row, ...]] = ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (factor,) = row
        mean = x.mean((2, 3), keepdim=True)
        return (x - mean) * factor + mean


class Saturate(Corruption):
    """Saturation S becomes S' = S·a + b, clipped to [0, 1]: V - (V - x)·S'/S with value V; grey has hue 0 (red)."""

    name: ClassVar[str] = "saturate"
    group: ClassVar[str] = "digital"
    extra: ClassVar[bool] = True
    small: ClassVar[tuple[Row, ...]] = ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))
    large: ClassVar[tuple[Row, ...]] = ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        factor, more = row
        value = x.amax(1, keepdim=True)
        spread = value - x.amin(1, keepdim=True)
        saturation = spread / value.clamp(min=1e-12)
        changed = (saturation * factor + more).clamp(0, 1)
        red = torch.tensor([0.0, 1.0, 1.0], device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
        below = torch.where(spread > 0, (value - x) / spread.clamp(min=1e-12), red)  # 0 for V, 1 for the smallest
        return value * (1 - changed * below)


class JPEGCompression(Corruption):
    """JPEG at quality c, written and read by Pillow image by image."""

    name: ClassVar[str] = "jpeg_compression"
    group: ClassVar[str] = "digital"
    small: ClassVar[tuple[Row, ...]] = ((80,), (65,), (58,), (50,), (40,))
    large: ClassVar[tuple[Row, ...]] = ((25,), (18,), (15,), (10,), (7,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        quality = int(row[0])
        levels = (x * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        compressed = np.stack([_compressed(image, quality) for image in levels])
        return torch.from_numpy(compressed).to(x.device).permute(0, 3, 1, 2).to(x.dtype) / 255


def _compressed(image: np.ndarray, quality: int) -> np.ndarray:
    with io.BytesIO() as file:
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        with Image.open(file) as read:
            return np.array(read)


class Pixelate(Corruption):
    """Resized to ⌊c·side⌋ and back by a box filter, with Pillow's roundings."""

    name: ClassVar[str] = "pixelate"
    group: ClassVar[str] = "digital"
    small: ClassVar[tuple[Row, ...]] = ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,))
    large: ClassVar[tuple[Row, ...]] = ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (factor,) = row
        height, width = x.shape[-2:]
        coarse = box_resized((x * 255).round(), int(height * factor), int(width * factor))
        return box_resized(coarse, height, width) / 255


def _in_pixels(side: int, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """Parameters in pixels, from fractions of the side."""
    return tuple(tuple(side * value for value in row) for row in rows)


class ElasticTransform(Corruption):
    """A random affine map, then a displacement of each pixel.

    The map moves three points around the middle by U(-affine, affine) in each direction (border: "whole", see
    `filters`). The displacements are U(-1, 1) smoothed by a Gaussian σ, cut at 3σ, times α (border: "half"). Both steps
    interpolate bilinearly. Parameters (α, σ, affine) are in pixels; those for 224x224 are 244 times the published
    fractions, as in the generator.
    """

    name: ClassVar[str] = "elastic_transform"
    group: ClassVar[str] = "digital"
    small: ClassVar[tuple[Row, ...]] = _in_pixels(
        32, ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
    )
    large: ClassVar[tuple[Row, ...]] = _in_pixels(
        244, ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
    )
    lengths: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        alpha, sigma, affine = row
        batch, _, height, width = x.shape
        middle = torch.tensor([width // 2, height // 2], device=x.device, dtype=x.dtype)
        third = min(height, width) // 3
        corners = torch.tensor([[1, 1], [1, -1], [-1, -1]], device=x.device, dtype=x.dtype)
        points = middle + third * corners  # (3, 2), x before y
        moved = points + uniform((batch, 3, 2), -affine, affine, x, generator)
        x = warped(x, moved, points)
        noise = uniform((batch, 2, height, width), -1, 1, x, generator)
        shift = smooth(noise, sigma, border="half", truncate=3.0) * alpha
        return sampled(x, _grid(height, width, x) + shift.permute(0, 2, 3, 1), border="half")


def warped(x: Tensor, moved: Tensor, points: Tensor) -> Tensor:
    """x (B, C, H, W) under the affine map that takes `points` (3, 2) to `moved` (B, 3, 2)."""
    ones = torch.ones_like(moved[..., :1])
    back = torch.linalg.solve(torch.cat([moved, ones], -1), points.expand_as(moved))  # (B, 3, 2): from target to source
    grid = _grid(x.shape[-2], x.shape[-1], moved)
    at = grid @ back[:, None, :2] + back[:, None, 2:]  # (B, H, W, 2)
    return sampled(x, at, border="whole")


def _grid(height: int, width: int, like: Tensor) -> Tensor:
    """The coordinates (H, W, 2) of the pixels, x before y."""
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack([x, y], -1)


def sampled(x: Tensor, at: Tensor, border: str) -> Tensor:
    """x (B, C, H, W) at coordinates (B, H, W, 2), x before y, bilinear, mirrored at the border ("half" or "whole")."""
    size = torch.tensor([x.shape[-1], x.shape[-2]], device=x.device, dtype=x.dtype)
    whole = border == "whole"
    scaled = 2 * at / (size - 1) - 1 if whole else (2 * at + 1) / size - 1
    return F.grid_sample(x, scaled, mode="bilinear", padding_mode="reflection", align_corners=whole)
