"""Linear filters on batches of images: Gaussians as matrices, large kernels by Fourier transform, lines, zooms.

The name of a border says which pixels continue a row a b c d: "nearest" a a|a b c d|d d; "half" (mirrored about the
edge of the last pixel) b a|a b c d|d c; "whole" (mirrored about its centre) c b|a b c d|c b.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEGLIGIBLE = 1e-8  # smaller weights of a line, which float32 would lose, are left out


def folded_index(index: Tensor, n: int, border: str) -> Tensor:
    """Any integers as indices 0 … n-1, by the rule of the border."""
    if border == "nearest":
        return index.clamp(0, n - 1)
    period = 2 * n if border == "half" else max(2 * n - 2, 1)
    folded = index % period
    return torch.minimum(folded, (period - 1 if border == "half" else period) - folded)


def gaussian(sigma: float, radius: int) -> Tensor:
    """exp(-i²/2σ²) for i = -radius … radius, of sum 1, in float64; σ = 0 is the identity."""
    i = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (i / sigma) ** 2) if sigma > 0 else (i == 0).double()
    return weights / weights.sum()


def gaussian_matrix(n: int, sigma: float, border: str, truncate: float) -> Tensor:
    """(n, n) in float64: row i holds the weights that give pixel i. The filter's radius is ⌊truncate·σ + ½⌋."""
    radius = int(truncate * sigma + 0.5)
    taps = gaussian(sigma, radius)
    source = folded_index(torch.arange(n)[:, None] + torch.arange(-radius, radius + 1), n, border)
    return torch.zeros(n, n, dtype=torch.float64).scatter_add_(1, source, taps.expand(n, -1))


def smooth(x: Tensor, sigma: float, border: str = "nearest", truncate: float = 4.0) -> Tensor:
    """Gaussian filter over the last two axes."""
    rows, columns = (
        gaussian_matrix(n, sigma, border, truncate).to(x.device, x.dtype) for n in (x.shape[-2], x.shape[-1])
    )
    return rows @ (x @ columns.T)


def symmetric_convolution(x: Tensor, kernel: Tensor) -> Tensor:
    """x (B, C, H, W) with a point-symmetric kernel (2r+1, 2r+1), border "whole", by Fourier transform.

    It is exact: of the circular convolution at the padded size, only the part without wrapping is kept.
    """
    radius = kernel.shape[-1] // 2
    rows, columns = (
        folded_index(torch.arange(-radius, n + radius, device=x.device), n, "whole") for n in (x.shape[-2], x.shape[-1])
    )
    padded = x[..., rows, :][..., columns]
    size = padded.shape[-2:]
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel.to(x.device, x.dtype), s=size)
    return torch.fft.irfft2(spectrum, s=size)[..., 2 * radius :, 2 * radius :]


def motion(x: Tensor, radius: float, sigma: float, degrees: Tensor) -> Tensor:
    """Σ_i w_i · (x i pixels further along a line), i = 0 … 2⌈radius⌉, w_i ∝ exp(-i²/2σ²), border "nearest".

    x (B, C, H, W); `degrees` (B,), one angle per image, clockwise from the x axis. The line runs over the nearest
    pixels, ⌈t - ½⌉ of each coordinate: ImageMagick's motion blur.
    """
    height, width = x.shape[-2:]
    i = torch.arange(2 * math.ceil(radius) + 1, dtype=torch.float64)
    line = torch.exp(-0.5 * (i / sigma) ** 2)
    weights: list[float] = (line / line.sum()).tolist()
    angle = torch.deg2rad(degrees.double())
    y, z = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    flat, out = x.flatten(2), torch.zeros_like(x).flatten(2)
    for step, weight in enumerate(weights):
        if weight < NEGLIGIBLE:
            break
        down, right = (torch.ceil(step * along - 0.5).long() for along in (angle.sin(), angle.cos()))
        rows = folded_index(y + down[:, None], height, "nearest")  # (B, H)
        columns = folded_index(z + right[:, None], width, "nearest")  # (B, W)
        index = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # (B, HW)
        out.add_(flat.gather(2, index[:, None].expand_as(flat)), alpha=weight)
    return out.view_as(x)


def zoom_matrix(n: int, zoom: float) -> Tensor:
    """(n, n) in float64 that enlarges the middle of a row by `zoom` >= 1: linear, both ends mapped to ends.

    ⌈n/zoom⌉ pixels become round(⌈n/zoom⌉·zoom), of which the middle n are kept.
    """
    cropped = math.ceil(n / zoom)
    size = round(cropped * zoom)
    kept = torch.arange(n) + (size - n) // 2
    at = kept.double() * (cropped - 1) / max(size - 1, 1)
    left = at.floor().long().clamp(max=max(cropped - 2, 0))
    share = (at - left)[:, None]
    start = (n - cropped) // 2
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix.scatter_add_(1, (start + left)[:, None], 1 - share)
    return matrix.scatter_add_(1, (start + left)[:, None] + (1 if cropped > 1 else 0), share)


def zoomed(x: Tensor, zoom: float) -> Tensor:
    """The middle of x (…, H, W) enlarged by `zoom` >= 1 to the size of x, bilinear, corners mapped to corners."""
    rows, columns = (zoom_matrix(n, zoom).to(x.device, x.dtype) for n in (x.shape[-2], x.shape[-1]))
    return rows @ (x @ columns.T)


def box_matrix(n: int, size: int) -> Tensor:
    """(size, n) in float64: each new pixel is the mean of the old ones whose centres lie in it, or the nearest one."""
    scale = n / size
    matrix = torch.zeros(size, n, dtype=torch.float64)
    for i in range(size):
        half = max(scale, 1.0) / 2
        first, last = int((i + 0.5) * scale - half + 0.5), int((i + 0.5) * scale + half + 0.5)
        first, last = max(first, 0), min(last, n)
        matrix[i, first:last] = 1 / (last - first)
    return matrix


def box_resized(levels: Tensor, height: int, width: int) -> Tensor:
    """Levels 0 to 255 (…, H, W) at another size, as by Pillow's box filter: rows, then columns, rounded after each."""
    across = box_matrix(levels.shape[-1], width).to(levels.device, levels.dtype)
    down = box_matrix(levels.shape[-2], height).to(levels.device, levels.dtype)
    rows = (levels @ across.T + 0.5).floor()
    return (down @ rows + 0.5).floor()
