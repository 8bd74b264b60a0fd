"""Deterministic corruptions, and noise, against slow, independent calculations."""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from corruption_pictures import SIDES, array, enlarged, gaussian_blur, generator, made, pictures, round_kernel, tensor
from PIL import Image
from scipy import ndimage

Slow = Callable[[np.ndarray, tuple[float, ...]], np.ndarray]  # maps one image (H, W, 3) in [0, 1] to another


def contrast(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    mean = image.mean((0, 1))
    return (image - mean) * row[0] + mean


def through_hsv(image: np.ndarray, change: Callable[..., tuple[float, ...]]) -> np.ndarray:
    out = np.empty_like(image)
    for place in np.ndindex(image.shape[:2]):
        out[place] = colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*image[place])))
    return out


def brightness(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return through_hsv(image, lambda h, s, v: (h, s, min(1.0, v + row[0])))


def saturate(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    return through_hsv(image, lambda h, s, v: (h, min(1.0, s * row[0] + row[1]), v))


def defocus_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    kernel = round_kernel(row[0], row[1])
    return np.stack([ndimage.correlate(image[..., c], kernel, mode="mirror") for c in range(3)], -1)


def zoom_blur(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    zooms = np.arange(1, 1 + (row[1] - 0.5) * row[0], row[0])
    assert len(zooms) == row[1]
    return (image + sum(enlarged(image, zoom) for zoom in zooms)) / (len(zooms) + 1)


def pixelate(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    picture = Image.fromarray(np.uint8(np.round(image * 255)))
    small = picture.resize([int(n * row[0]) for n in picture.size], Image.Resampling.BOX)
    return np.asarray(small.resize(picture.size, Image.Resampling.BOX)) / 255


def jpeg_compression(image: np.ndarray, row: tuple[float, ...]) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.round(image * 255))).save(file, "JPEG", quality=row[0])
    return np.asarray(Image.open(file)) / 255


PLAIN = (contrast, brightness, saturate, gaussian_blur, defocus_blur, zoom_blur, pixelate, jpeg_compression)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("slow", PLAIN, ids=lambda slow: slow.__name__)
def test_types_without_chance(slow: Slow, side: int) -> None:
    levels = pictures(2 if side == 32 else 1, 32 if side == 32 else 56)  # 56 pixels get the parameters for 224
    for corruption, row in made(slow.__name__, side):
        fast = array(corruption.apply(tensor(levels), row, generator()))
        for one, image in zip(fast, levels):
            assert np.abs(one - slow(image / 255, row)).max() < 2e-5


@pytest.mark.parametrize("side", SIDES)
def test_noise_has_its_mean_and_spread(side: int) -> None:
    x = torch.full((4, 3, 96, 96), 0.3)
    n = x.numel()

    def close(values: torch.Tensor, mean: float, sd: float) -> None:
        assert values.mean().item() == pytest.approx(mean, abs=5 * sd / math.sqrt(n))
        assert values.std().item() == pytest.approx(sd, rel=0.04)

    for corruption, row in made("gaussian_noise", side):
        close(corruption.apply(x, row, generator()), 0.3, row[0])
    for corruption, row in made("speckle_noise", side):
        close(corruption.apply(x, row, generator()), 0.3, 0.3 * row[0])
    for corruption, row in made("shot_noise", side):
        shot = corruption.apply(x, row, generator())
        close(shot, 0.3, math.sqrt(0.3 / row[0]))
        assert torch.allclose(shot * row[0], (shot * row[0]).round(), atol=1e-3)
    for corruption, row in made("impulse_noise", side):
        hit = corruption.apply(x, row, generator())
        counts = [(hit == value).sum().item() for value in (0, 1)]
        for count in counts:
            share = row[0] / 2
            assert count / n == pytest.approx(share, abs=5 * math.sqrt(share / n))
        assert (hit == x).sum().item() == n - sum(counts)
        assert ((hit != x).sum(1) == 1).any(), "each value is hit on its own, not the whole pixel"
