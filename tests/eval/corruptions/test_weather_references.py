"""Fog, frost and snow against slow references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from corruption_pictures import SIDES, array, blurred_by_motion, enlarged, generator, made, pictures, tensor
from PIL import Image

from nas.eval.corruptions import CORRUPTIONS, photographs
from nas.eval.corruptions.base import uniform
from nas.eval.corruptions.weather import plasma


def test_plasma_is_diamond_square_point_by_point() -> None:
    size, decay = 16, 2.5
    fast = plasma(2, size, decay, torch.zeros(1), generator())
    chance = generator()
    field = np.zeros((2, size, size))
    step, wibble = size, 100.0
    while step >= 2:
        half = step // 2
        noise = wibble * uniform((3, 2, size // step, size // step), -wibble, wibble, torch.zeros(1), chance).numpy()
        for image in range(2):
            at = field[image]
            for i in range(size // step):
                for j in range(size // step):
                    y, x, below, after = i * step, j * step, (i + 1) * step % size, (j + 1) * step % size
                    total = at[y, x] + at[below, x] + at[y, after] + at[below, after]
                    at[y + half, x + half] = total / 4 + noise[0, image, i, j]
            for i in range(size // step):
                for j in range(size // step):
                    y, x, below, after = i * step, j * step, (i + 1) * step % size, (j + 1) * step % size
                    beside = at[y + half, x + half] + at[y - half, x + half]
                    at[y, x + half] = (at[y, x] + at[y, after] + beside) / 4 + noise[1, image, i, j]
                    beside = at[y + half, x + half] + at[y + half, x - half]
                    at[y + half, x] = (at[y, x] + at[below, x] + beside) / 4 + noise[2, image, i, j]
        step, wibble = half, wibble / decay
    for slow, one in zip(field, fast.numpy()):
        assert np.abs((slow - slow.min()) / (slow.max() - slow.min()) - one).max() < 1e-5


@pytest.mark.parametrize("side", SIDES)
def test_fog_adds_the_plasma_and_dims(side: int) -> None:
    levels = pictures(2, side) // 2
    for corruption, (strength, decay) in made("fog", side):
        fast = array(corruption.apply(tensor(levels), (strength, decay), generator()))
        layers = plasma(2, 32 if side == 32 else 256, decay, torch.zeros(1), generator()).numpy()[:, :side, :side]
        for one, image, layer in zip(fast, levels / 255, layers):
            slow = (image + strength * layer[..., None]) * image.max() / (image.max() + strength)
            assert np.abs(one - slow).max() < 1e-5


def test_frost_is_a_crop_of_one_of_the_first_five_photographs(tmp_path: Path) -> None:
    y, x = np.mgrid[:200, :210]
    for number in range(6):
        photograph = np.stack([np.full_like(y, 40 * number + 20), y, x], -1).astype(np.uint8)
        Image.fromarray(photograph).save(tmp_path / f"frost{number}.png")
    (tmp_path / "notes.txt").write_text("not a photograph")
    kind = CORRUPTIONS.get("frost")
    images = torch.rand(60, 3, 32, 32, generator=generator())
    image_weight, overlay, scale = kind.row(3, 32)
    assert scale == 0.2
    added = (kind.made(str(tmp_path)).apply(images, kind.row(3, 32), generator()) - image_weight * images) / overlay
    red, down, right = (added * 255).round().unbind(1)
    assert set(red[:, 0, 0].tolist()) == {20.0, 60.0, 100.0, 140.0, 180.0}
    assert torch.equal(red, red[:, :1, :1].expand_as(red))
    steps = 5 * torch.arange(32) + 2  # every fifth pixel of the photograph, which is scaled by 0.2
    assert torch.equal(down - down[:, :1, :1] + 2, steps[:, None].float().expand_as(down))
    assert torch.equal(right - right[:, :1, :1] + 2, steps.float().expand_as(right))
    for corner, largest in ((down, 200), (right, 210)):
        first = (corner[:, 0, 0] - 2) / 5
        assert first.min() >= 0
        assert first.max() < largest // 5 - 32
        assert len(set(first.tolist())) > 3


def test_a_photograph_of_the_size_it_is_cut_from_stays_as_it_is() -> None:
    image = torch.arange(3 * 9 * 8, dtype=torch.uint8).reshape(3, 9, 8)
    assert torch.equal(photographs._resized(image, 1.0, 4, 5), image / 255)
    assert photographs._resized(image, 2.0, 4, 5).shape == (3, 18, 16)


def test_snow() -> None:
    levels = pictures(2, 32)
    for corruption, row in made("snow", 32):
        mean, sd, zoom, threshold, radius, sigma, mix = row
        fast = array(corruption.apply(tensor(levels), row, generator()))
        chance = generator()
        layers = mean + sd * torch.randn(2, 1, 32, 32, generator=chance).double().numpy()
        angles = uniform((2,), -135, -45, torch.zeros(1), chance).tolist()
        for one, image, layer, angle in zip(fast, levels / 255, layers, angles):
            flakes = enlarged(layer[0][..., None], zoom)[..., 0]
            flakes = np.floor(np.clip(np.where(flakes < threshold, 0, flakes), 0, 1) * 255 + 1e-3) / 255
            flakes = np.round(blurred_by_motion(flakes, radius, sigma, angle) * 255) / 255
            grey = image @ np.array([0.299, 0.587, 0.114])
            pale = mix * image + (1 - mix) * np.maximum(image, 1.5 * grey[..., None] + 0.5)
            slow = pale + (flakes + np.rot90(flakes, 2))[..., None]
            assert np.abs(one - slow).max() < 1.1 / 255, "a level may round to its neighbour"
            assert np.abs(one - slow).mean() < 0.02 / 255
