"""Drops of water for `spatter` in pale turquoise: bright inside, with a rim that edges and distances define.

The steps are those of the generator, which takes them from OpenCV: Canny edges of the layer as bytes, distance to the
nearest edge, mean of 3x3, equalised histogram, an embossing kernel, mean of 3x3. Each works on the whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.eval.corruptions.base import to_levels
from nas.eval.corruptions.filters import folded_index

COLOUR = (175 / 255, 238 / 255, 238 / 255)
WEAK, STRONG = 50, 150  # a pixel with a larger gradient is an edge: if it touches an edge, or always
TAN_22_5, TAN_67_5 = 0.41421356237309503, 2.414213562373095
STEPS = ((0, 1, 1.0), (1, 1, 1.4), (1, 2, 2.1969))  # chamfer weights of a 5x5 mask (Borgefors 1986)
FARTHEST = 20  # larger distances are set to it
EMBOSS = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))


def water(layer: Tensor) -> Tensor:
    """The water to add to images, (B, 3, H, W) in [0, 1], from a layer (B, 1, H, W) that is 0 without water."""
    drops = to_levels(layer)
    rim = distance(edges(drops))
    rim = equalised(_three_by_three(rim, torch.full((3, 3), 1 / 9), "whole").add(1e-4).floor())
    rim = _three_by_three(rim, torch.tensor(EMBOSS), "whole").clamp(0, 255)
    rim = _three_by_three(rim, torch.full((3, 3), 1 / 9), "whole").round()
    mask = drops * rim
    mask = mask / mask.amax((1, 2, 3), keepdim=True).clamp(min=1)
    return mask * torch.tensor(COLOUR, device=layer.device, dtype=layer.dtype).view(1, 3, 1, 1)


def _three_by_three(x: Tensor, kernel: Tensor, border: str) -> Tensor:
    """Correlation of (B, 1, H, W) with a kernel, term by term: exact for bytes and small whole weights."""
    height, width = x.shape[-2:]
    rows, columns = (folded_index(torch.arange(-1, n + 1, device=x.device), n, border) for n in (height, width))
    padded = x[..., rows, :][..., columns]
    total = torch.zeros_like(x)
    for i, line in enumerate(kernel.tolist()):
        for j, weight in enumerate(line):
            if weight:
                total.add_(padded[..., i : i + height, j : j + width], alpha=weight)
    return total


def edges(x: Tensor) -> Tensor:
    """Canny's edges (B, 1, H, W), bool, of levels 0 to 255: Sobel, |dx| + |dy|, thinned, weak ones kept beside strong.

    Source: Canny, IEEE TPAMI 8 (1986), with OpenCV's sectors of 45° and its ties.
    """
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    dx, dy = (_three_by_three(x, kernel, "nearest") for kernel in (sobel, sobel.T))
    magnitude = dx.abs() + dy.abs()
    height, width = x.shape[-2:]
    padded = F.pad(magnitude, (1, 1, 1, 1))

    def beside(down: int, right: int) -> Tensor:
        return padded[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]

    along_x = dy.abs() < TAN_22_5 * dx.abs()
    along_y = dy.abs() > TAN_67_5 * dx.abs()
    falling = dx * dy < 0  # the gradient points up and right, or down and left
    horizontal = (magnitude > beside(0, -1)) & (magnitude >= beside(0, 1))
    vertical = (magnitude > beside(-1, 0)) & (magnitude >= beside(1, 0))
    rising_peak = (magnitude > beside(-1, -1)) & (magnitude > beside(1, 1))
    falling_peak = (magnitude > beside(-1, 1)) & (magnitude > beside(1, -1))
    diagonal = torch.where(falling, falling_peak, rising_peak)
    peak = torch.where(along_x, horizontal, torch.where(along_y, vertical, diagonal)) & (magnitude > WEAK)
    strong = peak & (magnitude > STRONG)
    while True:  # weak edges that touch a strong one become strong
        grown = peak & (F.max_pool2d(strong.to(x.dtype), 3, 1, 1) > 0)
        if torch.equal(grown, strong):
            return strong
        strong = grown


def distance(edge: Tensor) -> Tensor:
    """Chamfer distance (B, 1, H, W) to the nearest edge, at most 20, by relaxing all pixels at once.

    A path no longer than 20 has at most 20 steps, so 20 rounds are exact.
    """
    height, width = edge.shape[-2:]
    moves = {(a * i, b * j): w for p, q, w in STEPS for a, b in ((p, q), (q, p)) for i in (-1, 1) for j in (-1, 1)}
    far = torch.where(edge, 0.0, float(FARTHEST))
    for _ in range(min(FARTHEST, height + width)):
        padded = F.pad(far, (2, 2, 2, 2), value=float(FARTHEST))
        for (down, right), weight in moves.items():
            shifted = padded[..., 2 + down : 2 + down + height, 2 + right : 2 + right + width]
            far = torch.minimum(far, shifted + weight)
    return far


def equalised(levels: Tensor) -> Tensor:
    """Histogram equalisation of whole levels 0 to 20, per image.

    A level becomes ⌊255·(p - q) / (n - q)⌉, where n pixels are in the image, p have at most this level, and q have the
    lowest level. If all pixels have the same level, it stays.
    """
    batch = len(levels)
    index = levels.flatten(1).long()
    counts = torch.zeros(batch, FARTHEST + 1, device=levels.device, dtype=levels.dtype)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=levels.dtype))
    lowest = counts.gather(1, index.amin(1, keepdim=True))
    rest = index.shape[1] - lowest
    table = ((counts.cumsum(1) - lowest) * (255 / rest.clamp(min=1))).round().clamp(0, 255)
    table = torch.where(rest == 0, torch.arange(FARTHEST + 1, device=levels.device, dtype=levels.dtype), table)
    return table.gather(1, index).view_as(levels)
