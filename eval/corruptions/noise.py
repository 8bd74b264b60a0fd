"""Noise on each value: Gaussian, shot, impulse, and speckle."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nas.eval.corruptions.base import Corruption, Row, normal, uniform


class GaussianNoise(Corruption):
    """x + N(0, c²), each value on its own."""

    name: ClassVar[str] = "gaussian_noise"
    group: ClassVar[str] = "noise"
    small: ClassVar[tuple[Row, ...]] = ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,))
    large: ClassVar[tuple[Row, ...]] = ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (sd,) = row
        return x + sd * normal(x.shape, x, generator)


class ShotNoise(Corruption):
    """Poisson(x·c) / c: counts of photons; a smaller c (fewer photons) is worse."""

    name: ClassVar[str] = "shot_noise"
    group: ClassVar[str] = "noise"
    small: ClassVar[tuple[Row, ...]] = ((500,), (250,), (100,), (75,), (50,))
    large: ClassVar[tuple[Row, ...]] = ((60,), (25,), (12,), (5,), (3,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (photons,) = row
        return torch.poisson(x * photons, generator=generator) / photons


class ImpulseNoise(Corruption):
    """A fraction c of the values becomes 0 or 1, with equal chance (salt and pepper)."""

    name: ClassVar[str] = "impulse_noise"
    group: ClassVar[str] = "noise"
    small: ClassVar[tuple[Row, ...]] = ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,))
    large: ClassVar[tuple[Row, ...]] = ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (amount,) = row
        hit = uniform(x.shape, 0, 1, x, generator) < amount
        salt = (uniform(x.shape, 0, 1, x, generator) < 0.5).to(x.dtype)
        return torch.where(hit, salt, x)


class SpeckleNoise(Corruption):
    """x + x·N(0, c²): noise that grows with the brightness."""

    name: ClassVar[str] = "speckle_noise"
    group: ClassVar[str] = "noise"
    extra: ClassVar[bool] = True
    small: ClassVar[tuple[Row, ...]] = ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,))
    large: ClassVar[tuple[Row, ...]] = ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (sd,) = row
        return x + x * sd * normal(x.shape, x, generator)
