"""Spatter of mud and of water against slow references: edges, distances and histograms of drops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from corruption_pictures import array, generator, pictures, tensor
from scipy import ndimage

from nas.eval.corruptions import CORRUPTIONS
from nas.eval.corruptions.water import distance, edges, equalised


@pytest.mark.parametrize(("side", "severity"), [(32, 4), (32, 5), (224, 5)])
def test_spatter_of_mud(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("spatter")
    mean, sd, sigma, threshold, _, mud, _ = kind.row(severity, side)
    one = array(kind().apply(tensor(levels), kind.row(severity, side), generator()))[0]
    noise = torch.randn(1, 1, side, side, generator=generator()).double().numpy()[0, 0]
    layer = ndimage.gaussian_filter(mean + sd * noise, sigma, mode="nearest")
    mask = ndimage.gaussian_filter((layer > threshold).astype(float), mud, mode="nearest")
    mask = np.where(mask < 0.8, 0, mask)[..., None]
    slow = levels[0] / 255 * (1 - mask) + mask * np.array([63, 42, 20]) / 255
    assert np.abs(one - slow).max() < 1e-5
    assert 0.001 < (mask > 0).mean() < 0.9


def thin_edges(levels: np.ndarray) -> np.ndarray:
    """Canny's edges pixel by pixel."""
    height, width = levels.shape
    padded = np.pad(levels.astype(int), 1, mode="edge")
    dx, dy = np.zeros((height, width), int), np.zeros((height, width), int)
    for y in range(height):
        for x in range(width):
            (a, b, c), (d, _, e), (f, g, h) = padded[y : y + 3, x : x + 3]
            dx[y, x] = c + 2 * e + h - a - 2 * d - f
            dy[y, x] = f + 2 * g + h - a - 2 * b - c
    size = np.pad(abs(dx) + abs(dy), 1)
    peaks = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            here = size[y + 1, x + 1]
            angle = math.degrees(math.atan2(abs(dy[y, x]), abs(dx[y, x])))
            if angle < 22.5:
                peak = here > size[y + 1, x] and here >= size[y + 1, x + 2]
            elif angle > 67.5:
                peak = here > size[y, x + 1] and here >= size[y + 2, x + 1]
            elif dx[y, x] * dy[y, x] < 0:
                peak = here > size[y, x + 2] and here > size[y + 2, x]
            else:
                peak = here > size[y, x] and here > size[y + 2, x + 2]
            peaks[y, x] = peak and here > 50
    labelled, _ = ndimage.label(peaks, np.ones((3, 3)))
    strong = set(labelled[peaks & (size[1:-1, 1:-1] > 150)].tolist())
    return np.isin(labelled, list(strong)) & peaks


def drops(seed: int) -> np.ndarray:
    layer = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0.65, 0.3, (40, 36)), 1.2)
    return (np.where(layer < 0.69, 0, layer) * 255).astype(np.uint8)


@pytest.mark.parametrize("seed", [0, 1])
def test_edges_distance_and_histogram_of_drops(seed: int) -> None:
    levels = drops(seed)
    slow = thin_edges(levels)
    found = edges(torch.from_numpy(levels).float()[None, None])
    assert np.array_equal(found[0, 0].numpy(), slow)
    assert 0.02 < slow.mean() < 0.5

    few = slow & (np.random.default_rng(seed).random(slow.shape) < 0.03)
    far = distance(torch.from_numpy(few)[None, None])[0, 0].numpy()
    for y, x in np.ndindex(few.shape):
        shortest = 20.0
        for down, right in np.argwhere(few) - (y, x):
            short, long = sorted((abs(int(down)), abs(int(right))))
            if long >= 2 * short:
                shortest = min(shortest, 2.1969 * short + long - 2 * short)
            else:
                shortest = min(shortest, 2.1969 * (long - short) + 1.4 * (2 * short - long))
        assert far[y, x] == pytest.approx(shortest, abs=1e-4)

    whole = np.floor(far)
    flat = equalised(torch.from_numpy(whole)[None, None])[0, 0].numpy()
    lowest = (whole == whole.min()).sum()
    for level in np.unique(whole):
        expected = round(255 * ((whole <= level).sum() - lowest) / (whole.size - lowest))
        assert set(flat[whole == level].tolist()) == {float(expected)}
    assert torch.equal(equalised(torch.full((1, 1, 3, 3), 7.0)), torch.full((1, 1, 3, 3), 7.0))


@pytest.mark.parametrize(("side", "severity"), [(32, 1), (32, 3), (224, 3)])
def test_spatter_of_water(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("spatter")
    mean, sd, sigma, threshold, strength, _, _ = kind.row(severity, side)
    one = array(kind().apply(tensor(levels), kind.row(severity, side), generator()))[0]
    noise = torch.randn(1, 1, side, side, generator=generator()).double().numpy()[0, 0]
    layer = ndimage.gaussian_filter(mean + sd * noise, sigma, mode="nearest")
    liquid = np.floor(np.clip(np.where(layer < threshold, 0, layer), 0, 1) * 255 + 1e-3)
    rim = distance(edges(torch.from_numpy(liquid)[None, None].float()))[0, 0].double().numpy()
    mean_of_nine = np.full((3, 3), 1 / 9)
    rim = np.floor(ndimage.correlate(rim, mean_of_nine, mode="mirror") + 1e-4)
    rim = equalised(torch.from_numpy(rim)[None, None])[0, 0].numpy()
    emboss = np.array([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]])
    rim = np.clip(ndimage.correlate(rim, emboss, mode="mirror"), 0, 255)
    mask = liquid * np.round(ndimage.correlate(rim, mean_of_nine, mode="mirror"))
    assert mask.max() > 0
    slow = levels[0] / 255 + strength * (mask / mask.max())[..., None] * np.array([175, 238, 238]) / 255
    assert np.abs(one - slow).max() < 1e-4


def test_an_image_without_a_drop_stays() -> None:
    corruption = CORRUPTIONS.get("spatter")()
    x = torch.rand(1, 3, 32, 32, generator=generator())
    assert torch.equal(corruption.apply(x, (0.1, 0.01, 1, 0.9, 0.5, 0, 1), generator()), x)
