"""The parameters of every corruption and severity are the published ones, written down from the generators.

Source: Hendrycks and Dietterich, ICLR 2019 (arXiv:1903.12261), with the code of its authors that made CIFAR-10-C
(32 pixels) and ImageNet-C (224 pixels).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch

from nas.eval.corruptions import CORRUPTIONS

Rows = list[tuple[float, ...]]


def single(*values: float) -> Rows:
    return [(value,) for value in values]


def zooms(*ends_and_steps: tuple[float, float]) -> Rows:
    """The generator averages np.arange(1, end, step)."""
    return [(step, len(np.arange(1, end, step))) for end, step in ends_and_steps]


CIFAR: dict[str, Rows] = {
    "gaussian_noise": single(0.04, 0.06, 0.08, 0.09, 0.10),
    "shot_noise": single(500, 250, 100, 75, 50),
    "impulse_noise": single(0.01, 0.02, 0.03, 0.05, 0.07),
    "speckle_noise": single(0.06, 0.1, 0.12, 0.16, 0.2),
    "gaussian_blur": single(0.4, 0.6, 0.7, 0.8, 1),
    "glass_blur": [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)],
    "defocus_blur": [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)],
    "motion_blur": [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)],
    "zoom_blur": zooms((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    "fog": [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)],
    "frost": [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)],
    "snow": [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ],
    "spatter": [
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ],
    "brightness": single(0.05, 0.1, 0.15, 0.2, 0.3),
    "contrast": single(0.75, 0.5, 0.4, 0.3, 0.15),
    "saturate": [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)],
    "jpeg_compression": single(80, 65, 58, 50, 40),
    "pixelate": single(0.95, 0.9, 0.85, 0.75, 0.65),
    "elastic_transform": [(0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)],
}
IMAGENET: dict[str, Rows] = {
    "gaussian_noise": single(0.08, 0.12, 0.18, 0.26, 0.38),
    "shot_noise": single(60, 25, 12, 5, 3),
    "impulse_noise": single(0.03, 0.06, 0.09, 0.17, 0.27),
    "speckle_noise": single(0.15, 0.2, 0.35, 0.45, 0.6),
    "gaussian_blur": single(1, 2, 3, 4, 6),
    "glass_blur": [(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
    "defocus_blur": [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
    "motion_blur": [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)],
    "zoom_blur": zooms((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    "fog": [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
    "frost": [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
    "snow": [
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ],
    "spatter": [
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 1.5, 1),
    ],
    "brightness": single(0.1, 0.2, 0.3, 0.4, 0.5),
    "contrast": single(0.4, 0.3, 0.2, 0.1, 0.05),
    "saturate": [(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)],
    "jpeg_compression": single(25, 18, 15, 10, 7),
    "pixelate": single(0.6, 0.5, 0.4, 0.3, 0.25),
    "elastic_transform": [(2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)],
}
# the parameters that are lengths, which the project scales with the image at other sizes
LENGTHS = {
    "gaussian_blur": (0,),
    "glass_blur": (0, 1),
    "defocus_blur": (2,),
    "motion_blur": (0, 1),
    "frost": (2,),
    "snow": (4, 5),
    "elastic_transform": (0, 1, 2),
    "spatter": (6,),
}


def ours(name: str, side: int, row: Iterable[float]) -> tuple[float, ...]:
    """The published row in the form of this project."""
    values = tuple(row)
    if name == "defocus_blur":
        return (*values, 1)  # the scale of both
    if name == "frost":  # the generator for 32 pixels makes the photographs smaller
        return (*values, 0.2 if side == 32 else 1)
    if name == "elastic_transform":  # the generator for 224 pixels has 244
        return tuple((32 if side == 32 else 244) * value for value in values)
    if name == "spatter":  # the sixth says whether the fifth is the strength of water or the σ of mud
        *first, strength, mud = values
        return (*first, 0, strength, 1) if mud else (*first, strength, 0, 1)
    return values


def test_every_corruption_has_a_published_table() -> None:
    assert set(CORRUPTIONS.names()) == CIFAR.keys() == IMAGENET.keys()
    assert {len(rows) for table in (CIFAR, IMAGENET) for rows in table.values()} == {5}
    assert CIFAR["zoom_blur"] == [(0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)]
    assert IMAGENET["zoom_blur"] == [(0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)]


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", sorted(CIFAR))
def test_parameters_are_the_published_ones(name: str, severity: int) -> None:
    for side, table in ((32, CIFAR), (224, IMAGENET)):
        expected = ours(name, side, table[name][severity - 1])
        assert CORRUPTIONS.get(name).row(severity, side) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(CIFAR))
def test_lengths_follow_the_side_up_to_64_from_cifars_and_from_imagenets_above(name: str) -> None:
    lengths = LENGTHS.get(name, ())
    for side, own, table in ((16, 32, CIFAR), (64, 32, CIFAR), (65, 224, IMAGENET), (448, 224, IMAGENET)):
        published = ours(name, own, table[name][2])
        expected = [value * side / own if at in lengths else value for at, value in enumerate(published)]
        assert CORRUPTIONS.get(name).row(3, side) == pytest.approx(expected, rel=1e-12)


def test_the_side_of_an_image_is_its_shorter_one() -> None:
    """64x96 still has CIFAR's parameters, 65x96 has ImageNet's: contrast 0.15 and 0.05 at severity 5."""
    corruption, generator = CORRUPTIONS.get("contrast").made(None), torch.Generator().manual_seed(0)
    for height, width, kept in ((64, 96, 0.15), (96, 64, 0.15), (65, 96, 0.05)):
        x = torch.rand(1, 3, height, width, generator=generator)
        result = corruption(x, 5, generator)
        assert (result.std() / x.std()).item() == pytest.approx(kept, abs=0.01)
