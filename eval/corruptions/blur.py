"""Blur: defocus, frosted glass, motion, zoom, and Gaussian."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from nas.eval.corruptions.base import Corruption, Row, rounded, to_levels, uniform
from nas.eval.corruptions.filters import gaussian, motion, smooth, symmetric_convolution, zoomed


class GaussianBlur(Corruption):
    """Gaussian filter of σ = c pixels, cut at 4σ, the border repeated."""

    name: ClassVar[str] = "gaussian_blur"
    group: ClassVar[str] = "blur"
    extra: ClassVar[bool] = True
    small: ClassVar[tuple[Row, ...]] = ((0.4,), (0.6,), (0.7,), (0.8,), (1,))
    large: ClassVar[tuple[Row, ...]] = ((1,), (2,), (3,), (4,), (6,))
    lengths: ClassVar[tuple[int, ...]] = (0,)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (sigma,) = row
        return smooth(x, sigma)


class DefocusBlur(Corruption):
    """Each channel is convolved with a disk of `radius` pixels that is smoothed by a Gaussian of σ = `alias`.

    Borders are mirrored about the outermost pixels, also when the disk is smoothed. The third parameter is the scale of
    both lengths: for larger images the disk is drawn larger, for smaller ones the weights of the published kernel move
    towards its centre, because a disk below one pixel would be no blur at all.
    """

    name: ClassVar[str] = "defocus_blur"
    group: ClassVar[str] = "blur"
    small: ClassVar[tuple[Row, ...]] = ((0.3, 0.4, 1), (0.4, 0.5, 1), (0.5, 0.6, 1), (1, 0.2, 1), (1.5, 0.1, 1))
    large: ClassVar[tuple[Row, ...]] = ((3, 0.1, 1), (4, 0.5, 1), (6, 0.5, 1), (8, 0.5, 1), (10, 0.5, 1))
    lengths: ClassVar[tuple[int, ...]] = (2,)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        radius, alias, scale = row
        kernel = shrunk(disk(radius, alias), scale) if scale < 1 else disk(radius * scale, alias * scale)
        return symmetric_convolution(x, kernel)


def disk(radius: float, alias: float) -> Tensor:
    """A disk of sum 1 on a grid of 17x17, smoothed by 3x3 weights; float64.

    Above a radius of 8 the grid has a side of 2⌊radius⌋ + 1, and the weights are 5x5. Zeros around the disk are cut.
    """
    reach = 8 if radius <= 8 else int(radius)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    flat = (at[:, None] ** 2 + at**2 <= radius**2).double()
    kernel = (flat / flat.sum())[None, None]
    taps = gaussian(alias, 1 if radius <= 8 else 2)
    smoothed = symmetric_convolution(kernel, taps[:, None] * taps)[0, 0]
    used = min(int(radius) + len(taps) // 2, reach)
    return smoothed[reach - used : reach + used + 1, reach - used : reach + used + 1]


def shrunk(kernel: Tensor, scale: float) -> Tensor:
    """The kernel (2r+1, 2r+1), smaller: each weight moves to `scale` < 1 times its distance from the centre.

    Between pixels a weight is split linearly. The new kernel has the same form with a smaller r.
    """
    reach = kernel.shape[-1] // 2
    at = torch.arange(-reach, reach + 1, dtype=kernel.dtype)
    share = (1 - (at[:, None] - scale * at).abs()).clamp(min=0)  # of the weight at column j that goes to row i
    smaller = share @ kernel @ share.T
    cut_off = reach - math.ceil(reach * scale)
    return smaller[cut_off : len(at) - cut_off, cut_off : len(at) - cut_off]


class GlassBlur(Corruption):
    """Gaussian σ, cut to bytes; every pixel takes the value of one nearby, several times over; the Gaussian again.

    In each iteration the pixels are visited by rows and columns from side - max down to max + 1, and each takes the
    present value of the pixel at a shift drawn from {-max, …, max - 1}², so a value can move several times. (The
    benchmark's code means to swap the two values, but copies one, because both are views of one array.)
    """

    name: ClassVar[str] = "glass_blur"
    group: ClassVar[str] = "blur"
    small: ClassVar[tuple[Row, ...]] = ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
    large: ClassVar[tuple[Row, ...]] = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
    lengths: ClassVar[tuple[int, ...]] = (0, 1)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        sigma, reach, iterations = row[0], max(1, round(row[1])), int(row[2])
        x = to_levels(smooth(x, sigma)) / 255
        for _ in range(iterations):
            shape = (len(x), *x.shape[-2:])
            down, right = (uniform(shape, -reach, reach, x, generator).floor().long() for _ in range(2))
            x = shuffled(x, down.clamp(max=reach - 1), right.clamp(max=reach - 1), reach)
        return smooth(x, sigma)


def shuffled(x: Tensor, down: Tensor, right: Tensor, reach: int) -> Tensor:
    """One iteration of glass blur on x (B, C, H, W) with shifts (B, H, W).

    The order of the visits makes chains: a pixel whose source was visited before takes the new value of the source, any
    other takes the original value. All chains are followed at once by doubling, so that the number of gathers is the
    logarithm of the longest chain.
    """
    batch, _, height, width = x.shape
    y, z = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    visited = (y > reach) & (y <= height - reach) & (z > reach) & (z <= width - reach)  # (H, W)
    here = y * width + z
    source = torch.where(visited, here + down * width + right, here).flatten(1)  # (B, HW)
    earlier = visited.flatten()[source] & (source > here.flatten())  # visits run from the last pixel to the first
    pixels = height * width  # an index i < pixels means the new value of pixel i, pixels + i its original value
    follow = torch.cat([torch.where(earlier, source, source + pixels), (here.flatten() + pixels).expand(batch, -1)], 1)
    while True:
        further = follow.gather(1, follow)
        if torch.equal(further, follow):
            break
        follow = further
    origin = follow[:, :pixels] - pixels
    return x.flatten(2).gather(2, origin[:, None].expand(-1, x.shape[1], -1)).view_as(x)


class MotionBlur(Corruption):
    """A one-sided Gaussian line of width 2·radius + 1 at an angle from U(-45°, 45°), rounded to bytes (ImageMagick)."""

    name: ClassVar[str] = "motion_blur"
    group: ClassVar[str] = "blur"
    small: ClassVar[tuple[Row, ...]] = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))
    large: ClassVar[tuple[Row, ...]] = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
    lengths: ClassVar[tuple[int, ...]] = (0, 1)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        radius, sigma = row
        return rounded(motion(x, radius, sigma, uniform((len(x),), -45, 45, x, generator)))


class ZoomBlur(Corruption):
    """The mean of the image and of `count` zooms of it by 1, 1 + step, … (so the image counts twice)."""

    name: ClassVar[str] = "zoom_blur"
    group: ClassVar[str] = "blur"
    small: ClassVar[tuple[Row, ...]] = ((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26))
    large: ClassVar[tuple[Row, ...]] = ((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        step, count = row[0], int(row[1])
        step = (1 + step) - 1  # with the rounding of NumPy's arange, which decides the size of some zooms
        total = 2 * x
        for i in range(1, count):
            total = total + zoomed(x, 1 + i * step)
        return total / (count + 1)
