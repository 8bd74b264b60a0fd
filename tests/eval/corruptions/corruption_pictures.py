"""Pictures to corrupt, and slow calculations that several references share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage

from nas.eval.corruptions import CORRUPTIONS, SEVERITIES, Corruption

SIDES = (32, 224)


def pictures(n: int, side: int, seed: int = 0) -> np.ndarray:
    """Smooth random bytes (n, side, side, 3) with black, grey and saturated places."""
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(rng.normal(size=(n, side, side, 3)), (0, side / 16, side / 16, 0))
    levels = np.clip(128 + 300 * blurred / blurred.std() / 4, 0, 255)
    levels[:, :2, :2] = 0
    levels[:, 3:6, :4] = 77
    return levels.astype(np.uint8)


def tensor(levels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(levels).permute(0, 3, 1, 2).float().contiguous() / 255


def array(x: torch.Tensor) -> np.ndarray:
    return x.permute(0, 2, 3, 1).double().numpy()


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(name: str, side: int) -> Iterator[tuple[Corruption, tuple[float, ...]]]:
    kind = CORRUPTIONS.get(name)
    return ((kind.made(None), kind.row(severity, side)) for severity in SEVERITIES)


def gaussian_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return ndimage.gaussian_filter(image, (row[0], row[0], 0), mode="nearest", truncate=4)


def round_kernel(radius: float, alias: float) -> np.ndarray:
    reach, size = (8, 1) if radius <= 8 else (int(radius), 2)
    kernel = np.array(
        [[float(math.hypot(i, j) <= radius) for j in range(-reach, reach + 1)] for i in range(-reach, reach + 1)]
    )
    taps = np.exp([-(i**2) / (2 * alias**2) for i in range(-size, size + 1)])
    return ndimage.correlate(kernel / kernel.sum(), np.outer(taps, taps) / taps.sum() ** 2, mode="mirror")


def enlarged(image: np.ndarray, zoom: float) -> np.ndarray:
    side = len(image)
    crop = math.ceil(side / zoom)
    top = (side - crop) // 2
    middle = image[top : top + crop, top : top + crop]
    large = ndimage.zoom(middle, (zoom, zoom, 1), order=1, mode="nearest")
    top = (len(large) - side) // 2
    return large[top : top + side, top : top + side]


def blurred_by_motion(plane: np.ndarray, radius: float, sigma: float, degrees: float) -> np.ndarray:
    """ImageMagick's motion blur: weights along a line of nearest pixels, with the border repeated."""
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * math.ceil(radius) + 1)]
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    height, width = plane.shape
    out = np.zeros_like(plane)
    for y in range(height):
        for x in range(width):
            for i, weight in enumerate(weights):
                row = min(max(y + math.ceil(i * sine - 0.5), 0), height - 1)
                column = min(max(x + math.ceil(i * cosine - 0.5), 0), width - 1)
                out[y, x] += weight / sum(weights) * plane[row, column]
    return out
