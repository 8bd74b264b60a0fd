"""Weather: brightness, fog, frost, snow, and spatter."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nas.eval.corruptions.base import Corruption, Row, normal, rounded, to_levels, uniform
from nas.eval.corruptions.filters import gaussian, motion, smooth, zoomed
from nas.eval.corruptions.photographs import Photographs
from nas.eval.corruptions.water import water

GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)
MUD = (63 / 255, 42 / 255, 20 / 255)
MUD_FROM = 0.8  # smaller values of the smoothed mask are set to 0


class Brightness(Corruption):
    """Value V, the largest channel, becomes V' = V + c, clipped to [0, 1]: x · V'/V; black becomes grey."""

    name: ClassVar[str] = "brightness"
    group: ClassVar[str] = "weather"
    small: ClassVar[tuple[Row, ...]] = ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,))
    large: ClassVar[tuple[Row, ...]] = ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        (more,) = row
        value = x.amax(1, keepdim=True)
        brighter = (value + more).clamp(0, 1)
        return torch.where(value > 0, x * (brighter / value), brighter)


class Fog(Corruption):
    """(x + strength · plasma) · max/(max + strength), where max is the largest value of the image."""

    name: ClassVar[str] = "fog"
    group: ClassVar[str] = "weather"
    small: ClassVar[tuple[Row, ...]] = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))
    large: ClassVar[tuple[Row, ...]] = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        strength, decay = row
        height, width = x.shape[-2:]
        size = 1 << (max(height, width) - 1).bit_length()
        layer = plasma(len(x), size, decay, x, generator)[:, None, :height, :width]
        largest = x.amax((1, 2, 3), keepdim=True)
        return (x + strength * layer) * largest / (largest + strength)


def plasma(batch: int, size: int, decay: float, like: Tensor, generator: torch.Generator) -> Tensor:
    """Diamond-square fields (batch, size, size) that wrap around, each rescaled to [0, 1]; `size` a power of two.

    Each time the step is halved, a new point is the mean of its four neighbours + w·U(-w, w); w starts at 100 and is
    then divided by `decay`.
    """
    field = torch.zeros(batch, size, size, device=like.device, dtype=like.dtype)
    step, wibble = size, 100.0
    while step >= 2:
        half, points = step // 2, size // step
        noise = wibble * uniform((3, batch, points, points), -wibble, wibble, like, generator)
        corners = field[:, ::step, ::step].clone()
        in_rows = corners + corners.roll(-1, 2)
        in_columns = corners + corners.roll(-1, 1)
        centres = (in_rows + in_rows.roll(-1, 1)) / 4 + noise[0]
        field[:, half::step, half::step] = centres
        field[:, ::step, half::step] = (in_rows + centres + centres.roll(1, 1)) / 4 + noise[1]
        field[:, half::step, ::step] = (in_columns + centres + centres.roll(1, 2)) / 4 + noise[2]
        step, wibble = half, wibble / decay
    field -= field.amin((1, 2), keepdim=True)
    return field / field.amax((1, 2), keepdim=True)


class Frost(Corruption):
    """a·x + b·(a random crop of one of the first five photographs of frost).

    The third parameter is the scale of the photographs: 0.2 for 32x32.
    """

    name: ClassVar[str] = "frost"
    group: ClassVar[str] = "weather"
    small: ClassVar[tuple[Row, ...]] = (
        (1, 0.2, 0.2),
        (1, 0.3, 0.2),
        (0.9, 0.4, 0.2),
        (0.85, 0.4, 0.2),
        (0.75, 0.45, 0.2),
    )
    large: ClassVar[tuple[Row, ...]] = ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1))
    lengths: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, photographs: Photographs) -> None:
        self.photographs = photographs

    @classmethod
    def made(cls, photographs: str | None) -> Frost:
        return cls(Photographs.found(photographs))

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        image, overlay, scale = row
        height, width = x.shape[-2:]
        draws = uniform((3, len(x)), 0, 1, x, generator)
        return image * x + overlay * self.photographs.crops(draws, height, width, scale)


class Snow(Corruption):
    """Flakes and a paler image: m·x + (1 - m)·max(x, 1.5·grey(x) + 0.5) + layer + layer turned by 180°.

    The layer is N(mean, sd), zoomed, zero below the threshold, cut to bytes, blurred by motion at an angle from
    U(-135°, -45°) and rounded to bytes.
    """

    name: ClassVar[str] = "snow"
    group: ClassVar[str] = "weather"
    small: ClassVar[tuple[Row, ...]] = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )
    large: ClassVar[tuple[Row, ...]] = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )
    lengths: ClassVar[tuple[int, ...]] = (4, 5)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        mean, sd, zoom, threshold, radius, sigma, mix = row
        batch, _, height, width = x.shape
        layer = zoomed(mean + sd * normal((batch, 1, height, width), x, generator), zoom)
        flakes = to_levels(torch.where(layer < threshold, torch.zeros_like(layer), layer)) / 255
        flakes = rounded(motion(flakes, radius, sigma, uniform((batch,), -135, -45, x, generator)))
        weights = torch.tensor(GREY, device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
        grey = (x * weights).sum(1, keepdim=True)
        return mix * x + (1 - mix) * torch.maximum(x, 1.5 * grey + 0.5) + flakes + flakes.flip(2, 3)


class Spatter(Corruption):
    """Water or mud on the lens: a layer N(mean, sd) smoothed by σ, zero below the threshold.

    Severities 1 to 3 add water (`nas.eval.corruptions.water`) times the fifth parameter. Severities 4 and 5 cover the
    image with mud where the layer is above the threshold; this mask is smoothed with the sixth parameter as σ, then set
    to 0 where it is below 0.8. The last parameter is the scale of both σ; the smoothed noise has the same standard
    deviation at every scale, so drops cover the same share of the image.
    """

    name: ClassVar[str] = "spatter"
    group: ClassVar[str] = "weather"
    extra: ClassVar[bool] = True
    small: ClassVar[tuple[Row, ...]] = (
        (0.62, 0.1, 0.7, 0.7, 0.5, 0, 1),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0, 1),
        (0.65, 0.3, 1, 0.69, 0.5, 0, 1),
        (0.65, 0.1, 0.7, 0.69, 0, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0, 0.6, 1),
    )
    large: ClassVar[tuple[Row, ...]] = (
        (0.65, 0.3, 4, 0.69, 0.6, 0, 1),
        (0.65, 0.3, 3, 0.68, 0.6, 0, 1),
        (0.65, 0.3, 2, 0.68, 0.5, 0, 1),
        (0.65, 0.3, 1, 0.65, 0, 1.5, 1),
        (0.67, 0.4, 1, 0.65, 0, 1.5, 1),
    )
    lengths: ClassVar[tuple[int, ...]] = (6,)

    def apply(self, x: Tensor, row: Row, generator: torch.Generator) -> Tensor:
        mean, sd, sigma, threshold, water_strength, mud_sigma, scale = row
        batch, _, height, width = x.shape
        noise = smooth(normal((batch, 1, height, width), x, generator), sigma * scale)
        layer = mean + sd * noise * (_smoothed_sd(sigma) / _smoothed_sd(sigma * scale))
        if mud_sigma == 0:
            return x + water_strength * water(torch.where(layer < threshold, torch.zeros_like(layer), layer))
        mask = smooth((layer > threshold).to(x.dtype), mud_sigma * scale)
        mask = torch.where(mask < MUD_FROM, torch.zeros_like(mask), mask)
        colour = torch.tensor(MUD, device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
        return x * (1 - mask) + colour * mask


def _smoothed_sd(sigma: float) -> float:
    """The standard deviation of white noise of unit variance after a Gaussian filter of σ in both directions."""
    return float((gaussian(sigma, int(4 * sigma + 0.5)) ** 2).sum())
