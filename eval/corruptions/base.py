"""The contract of a corruption, how its parameters follow the size of the images, and where all of them are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from nas.core.errors import InputError
from nas.core.images import check_unit_range
from nas.core.registry import Registry, is_concrete_subclass

Row = tuple[float, ...]  # the parameters of one severity

SMALL, LARGE = 32, 224  # sides for which CIFAR-10-C and ImageNet-C give parameters
SMALL_UP_TO = 64  # larger images use the parameters of 224x224
SEVERITIES = (1, 2, 3, 4, 5)
LEVEL_TOLERANCE = 1e-3  # in levels; added before values are cut, so that float32 rounding does not cost a whole level


class Corruption(ABC):
    """A type of corruption at five severities, of images (B, 3, H, W) in [0, 1] on any device.

    One object serves any number of batches and keeps no state between them; every random number comes from the given
    generator, on the device of the images. `small` and `large` hold the parameters of CIFAR-10-C (32x32) and
    ImageNet-C (224x224), one row per severity. Images whose shorter side s is at most 64 use `small`, with the entries
    in `lengths` times s/32; larger images use `large`, with these entries times s/224. Only s = 32 and s = 224 use the
    published parameters; other sizes give other numbers than CIFAR-10-C and ImageNet-C.

    Source: Hendrycks and Dietterich, ICLR 2019 (arXiv:1903.12261), parameters as in the generators of the two sets.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ("hendrycks2019benchmarking",)
    group: ClassVar[str]  # noise, blur, weather or digital
    extra: ClassVar[bool] = False  # not one of the benchmark's fifteen
    small: ClassVar[tuple[Row, ...]]
    large: ClassVar[tuple[Row, ...]]
    lengths: ClassVar[tuple[int, ...]] = ()  # which entries of a row are in pixels

    @classmethod
    def made(cls, photographs: str | None) -> Corruption:
        """A corruption that is ready to use; `photographs` is the user's folder, for the type that needs photographs.

        Raises InputError if that type finds none.
        """
        return cls()

    def __call__(self, x: Tensor, severity: int, generator: torch.Generator) -> Tensor:
        """`x` corrupted, clipped to [0, 1] and cut (not rounded) to the 256 levels of a byte; float32, the same shape.

        Raises `InputError` for images of another form or range, and for a severity that is not 1 to 5.
        """
        if x.ndim != 4 or x.shape[1] != 3:
            raise InputError(f"Expected images (B, 3, H, W) but got the shape {tuple(x.shape)}; give a colour batch.")
        check_unit_range(x)
        corrupted = self.apply(x.float().contiguous(), self.row(severity, min(x.shape[-2:])), generator)
        return to_levels(corrupted) / 255

    @classmethod
    def row(cls, severity: int, side: int) -> Row:
        """The parameters for images with this shorter side."""
        if severity not in SEVERITIES:
            raise InputError(f"Expected a severity from 1 to 5 but got {severity}.")
        rows, scale = (cls.small, side / SMALL) if side <= SMALL_UP_TO else (cls.large, side / LARGE)
        return tuple(
            value * scale if position in cls.lengths else value for position, value in enumerate(rows[severity - 1])
        )

    @abstractmethod
    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        """`x` (B, 3, H, W) corrupted with the parameters `row`; it may leave [0, 1], which is clipped afterwards."""


def to_levels(x: Tensor) -> Tensor:
    """Levels 0 to 255, as floats, of values in [0, 1]: clipped, then the fraction dropped."""
    return (x.clamp(0, 1) * 255 + LEVEL_TOLERANCE).floor()


def rounded(x: Tensor) -> Tensor:
    """Values in [0, 1] rounded to the nearest of 256 levels, as an image library does."""
    return (x.clamp(0, 1) * 255).round() / 255


def normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    """N(0, 1) on the device of `like`."""
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def uniform(shape: tuple[int, ...], low: float, high: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """U(low, high) on the device of `like`."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)


CORRUPTIONS: Registry[type[Corruption]] = Registry(
    "corruption", "nas.eval.corruptions", "nas.corruptions", is_concrete_subclass(Corruption)
)
