"""Motion and glass blur against slow references, and the kernels of the blurs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from corruption_pictures import (
    SIDES,
    array,
    blurred_by_motion,
    gaussian_blur,
    generator,
    made,
    pictures,
    round_kernel,
    tensor,
)
from scipy import ndimage

from nas.eval.corruptions import CORRUPTIONS
from nas.eval.corruptions.base import uniform
from nas.eval.corruptions.blur import disk, shrunk, shuffled


def test_a_shrunken_kernel_keeps_its_weight_and_scales_its_spread() -> None:
    kernel = disk(1.5, 0.1)
    reach = np.arange(-(len(kernel) // 2), len(kernel) // 2 + 1)
    for scale in (0.3, 0.5, 0.9):
        small = shrunk(kernel, scale)
        at = torch.arange(-(len(small) // 2), len(small) // 2 + 1)
        assert small.sum().item() == pytest.approx(1)
        mean_distance = (small * at.abs()).sum().item()
        assert mean_distance == pytest.approx(scale * (kernel * torch.from_numpy(abs(reach))).sum().item())


def test_motion_blur() -> None:
    levels = pictures(2, 24)
    for corruption, row in made("motion_blur", 32):
        fast = array(corruption.apply(tensor(levels), row, generator()))
        angles = uniform((2,), -45, 45, torch.zeros(1), generator()).tolist()
        assert len({round(angle) for angle in angles}) == 2
        for one, image, angle in zip(fast, levels, angles):
            slow = [blurred_by_motion(image[..., c] / 255.0, *row, angle) for c in range(3)]
            assert np.abs(one - np.stack(slow, -1)).max() < 0.5 / 255 + 1e-4
            assert np.allclose(one * 255, np.round(one * 255), atol=1e-3)


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
def test_glass_is_the_sequential_loop(reach: int) -> None:
    x = torch.rand(3, 3, 21, 18, generator=generator())
    down, right = (torch.randint(-reach, reach, (3, 21, 18), generator=generator(seed)) for seed in (1, 2))
    fast = shuffled(x, down, right, reach)
    for image, rows, columns, one in zip(x.clone(), down, right, fast):
        for y in range(21 - reach, reach, -1):
            for z in range(18 - reach, reach, -1):
                image[:, y, z] = image[:, y + rows[y, z], z + columns[y, z]]
        assert torch.equal(image, one)


@pytest.mark.parametrize(("side", "severity"), [(32, 1), (32, 5), (224, 2)])
def test_glass_blurs_before_and_after(side: int, severity: int) -> None:
    levels = pictures(1, side)
    kind = CORRUPTIONS.get("glass_blur")
    sigma, reach, iterations = kind.row(severity, side)
    fast = array(kind().apply(tensor(levels), (sigma, reach, iterations), generator()))[0]
    image = np.floor(gaussian_blur(levels[0] / 255, (sigma,)) * 255 + 1e-3) / 255
    chance = generator()
    for _ in range(int(iterations)):
        draws = [uniform((1, side, side), -reach, reach, torch.zeros(1), chance).floor().long() for _ in range(2)]
        image = array(shuffled(torch.from_numpy(image).permute(2, 0, 1)[None], *draws, int(reach)))[0]
    off = np.abs(fast - gaussian_blur(image, (sigma,)))
    assert off.max() < 1 / 255, "a level may be cut to its neighbour"
    assert off.mean() < 0.01 / 255


@pytest.mark.parametrize("side", SIDES)
def test_elastic_transform(side: int) -> None:
    levels = pictures(1, side)
    for corruption, row in made("elastic_transform", side):
        alpha, sigma, affine = row
        one = array(corruption.apply(tensor(levels), row, generator()))[0]
        chance = generator()
        moved = uniform((1, 3, 2), -affine, affine, torch.zeros(1), chance)[0].double().numpy()
        noise = uniform((1, 2, side, side), -1, 1, torch.zeros(1), chance)[0].double().numpy()
        third = side // 3
        points = side // 2 + third * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        back = np.linalg.solve(np.c_[points + moved, np.ones(3)], points)
        y, x = np.mgrid[:side, :side].astype(float)
        source = np.stack([x, y, np.ones_like(x)], -1) @ back
        shift = [alpha * ndimage.gaussian_filter(plane, sigma, mode="reflect", truncate=3) for plane in noise]
        for channel in range(3):
            plane = levels[0, ..., channel] / 255
            warped = ndimage.map_coordinates(plane, [source[..., 1], source[..., 0]], order=1, mode="mirror")
            slow = ndimage.map_coordinates(warped, [y + shift[1], x + shift[0]], order=1, mode="reflect")
            assert np.abs(one[..., channel] - slow).max() < 2e-3
            assert np.abs(one[..., channel] - slow).mean() < 2e-5


def test_round_kernels() -> None:
    for radius, alias, _ in (*CORRUPTIONS.get("defocus_blur").small, *CORRUPTIONS.get("defocus_blur").large):
        kernel = disk(radius, alias)
        whole = round_kernel(radius, alias)
        margin = (len(whole) - len(kernel)) // 2
        assert np.allclose(np.pad(kernel.numpy(), margin), whole, atol=1e-12)
