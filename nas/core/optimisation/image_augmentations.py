"""Augmentation of whole batches, on their device.

Where `shard` is given, the images are those of the shard, and the random numbers are drawn for the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.optimisation.shards import BatchShard, own_rows


def random_crop(images: Tensor, padding: int, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
    """Each image (B, C, H, W) shifted by up to `padding` pixels in both directions, filled with 0."""
    batch, channels, height, width = images.shape
    device = images.device
    padded = F.pad(images, (padding,) * 4)
    drawn = torch.randint(0, 2 * padding + 1, (2, _count(images, shard)), generator=generator, device=device)
    top, left = own_rows(drawn.T, shard).T
    rows = (top[:, None] + torch.arange(height, device=device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=device))[:, None, None, :]
    index = torch.arange(batch, device=device)[:, None, None, None]
    return padded[index, torch.arange(channels, device=device)[None, :, None, None], rows, columns]


def random_flip(images: Tensor, generator: torch.Generator, shard: BatchShard | None = None) -> Tensor:
    """Each image mirrored left–right with probability 1/2."""
    drawn = torch.rand(_count(images, shard), generator=generator, device=images.device)
    flip = own_rows(drawn, shard) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(3), images)


def cutout(
    images: Tensor, side: int, fill: Tensor, generator: torch.Generator, shard: BatchShard | None = None
) -> Tensor:
    """A square of `side` pixels around a random centre set to `fill` (1, C, 1, 1) (DeVries and Taylor 2017)."""
    _, _, height, width = images.shape
    device, count = images.device, _count(images, shard)
    row = own_rows(torch.randint(0, height, (count, 1), generator=generator, device=device), shard)
    column = own_rows(torch.randint(0, width, (count, 1), generator=generator, device=device), shard)
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)
    in_rows = (rows >= row - side // 2) & (rows < row + (side + 1) // 2)
    in_columns = (columns >= column - side // 2) & (columns < column + (side + 1) // 2)
    square = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
    return torch.where(square, fill.to(images), images)


def resized_crop(
    images: Tensor,
    side: int,
    generator: torch.Generator,
    shard: BatchShard | None = None,
    area: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """A random rectangle of each image (floats), resized to `side` x `side` by bilinear interpolation.

    The area is a fraction of the image's, uniform in `area`; width / height is log-uniform in `ratio`; sides that
    exceed the image are cut to its sides; the position is uniform. Source: Szegedy et al., CVPR 2015.
    """
    _, _, height, width = images.shape
    drawn = own_rows(torch.rand((_count(images, shard), 4), generator=generator, device=images.device), shard)
    size = height * width * (area[0] + drawn[:, 0] * (area[1] - area[0]))
    low, high = torch.tensor(ratio).log().tolist()
    shape = torch.exp(low + drawn[:, 1] * (high - low))
    wide = (size * shape).sqrt().clamp(max=width) / width  # as a fraction of the image's width
    tall = (size / shape).sqrt().clamp(max=height) / height
    centre_x = (2 * drawn[:, 2] - 1) * (1 - wide)  # -1 and 1 are the sides of the image
    centre_y = (2 * drawn[:, 3] - 1) * (1 - tall)
    zero = torch.zeros_like(wide)
    theta = torch.stack([torch.stack([wide, zero, centre_x], 1), torch.stack([zero, tall, centre_y], 1)], 1)
    grid = F.affine_grid(theta, [len(images), images.shape[1], side, side], align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def color_jitter(
    images: Tensor, strength: Sequence[float], generator: torch.Generator, shard: BatchShard | None = None
) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image (B, 3, H, W), in [0, 1], by random amounts.

    `strength` is (b, c, s, h): the factor of brightness is uniform in [1 - b, 1 + b], those of contrast and saturation
    likewise, and the hue turns by [-h, h] of a full circle. The changes are made in this order (torchvision's
    ColorJitter: in a random order), and values are cut to [0, 1] after each. Contrast scales the distance to the
    image's mean luma, saturation that to the luma of each pixel (ITU-R BT.601).
    """
    drawn = own_rows(torch.rand((_count(images, shard), 4), generator=generator, device=images.device), shard)
    limits = torch.tensor(strength, device=images.device, dtype=drawn.dtype)
    change = ((2 * drawn - 1) * limits)[:, :, None, None, None]
    brightness, contrast, saturation = ((1 + change[:, index]).clamp(min=0) for index in range(3))
    images = (images * brightness).clamp(0, 1)
    if strength[1]:
        mean = luma(images).mean(dim=(2, 3), keepdim=True)
        images = (mean + (images - mean) * contrast).clamp(0, 1)
    if strength[2]:
        grey = luma(images)
        images = (grey + (images - grey) * saturation).clamp(0, 1)
    return turned_hue(images, change[:, 3, 0]) if strength[3] else images


def luma(images: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W): .299 R + .587 G + .114 B (ITU-R BT.601)."""
    return 0.299 * images[:, 0:1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:3]


def turned_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of HSV by `turn` (B, 1, 1) of a full circle; value and saturation stay.

    Each channel is value - chroma · max(0, min(k, 4 - k, 1)) with k = (n + 6 hue) mod 6, n = 5, 3, 1 for R, G, B.
    """
    value, largest = images.max(dim=1)
    chroma = value - images.min(dim=1).values
    red, green, blue = images.unbind(1)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sector = torch.where(
        largest == 0,
        (green - blue) / safe,
        torch.where(largest == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = sector + 6 * turn
    channels = []
    for n in (5, 3, 1):
        k = (n + turned) % 6
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, 1)


def _count(images: Tensor, shard: BatchShard | None) -> int:
    return len(images) if shard is None else shard.total
