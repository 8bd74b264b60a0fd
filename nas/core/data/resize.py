"""Resize images to a square: squash them, or crop the centre as image libraries do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from PIL.Image import Image

SQUASH, CROP, SQUASH_CROP = RESIZES = ("squash", "crop", "squash-crop")  # data.resize
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos", "nearest")  # data.interpolation
_CHUNK_IMAGES = 1000  # at a time: a float copy of a whole data set may not fit into memory
_ROUNDING = 1e-9  # so that a decimal number for 224/232 gives 232 pixels


@dataclass(frozen=True)
class Resizing:
    """How an image is brought to `size` x `size` pixels; without a `size` it is not changed.

    With R = ⌊size / crop_share⌋, `crop` resizes the shorter side to R pixels, and `squash-crop` resizes both sides to R
    pixels; each then crops the centre to size x size. `squash` resizes both sides to `size`. Rounding is that of
    torchvision's `Resize` and `CenterCrop`.
    """

    size: int | None = None
    how: str = SQUASH
    crop_share: float = 1.0
    interpolation: str = "bilinear"

    @property
    def usual(self) -> bool:
        """Whether the result is that of versions before 0.3.0, which had only this way."""
        return self.size is None or (self.how == SQUASH and self.interpolation == "bilinear")

    @property
    def key(self) -> tuple[str | float, ...]:
        """What the key of cached images says about the resizing; empty for the usual way."""
        if self.usual:
            return ()
        return (self.how, self.interpolation) if self.how == SQUASH else (self.how, self.interpolation, self.crop_share)

    @property
    def side(self) -> int:
        """The side R to which images are resized."""
        assert self.size is not None
        return self.size if self.how == SQUASH else math.floor(self.size / self.crop_share + _ROUNDING)

    def fits(self, width: int, height: int) -> bool:
        """Whether an image has the wanted size. If all images have it, they were cropped before and are not changed."""
        return self.size is None or width == height == self.size

    def __call__(self, image: Image) -> Image:
        if self.size is None or (self.how == SQUASH and image.size == (self.size, self.size)):
            return image
        from PIL.Image import Resampling

        width, height = image.size
        sides = (self.side, self.side)
        if self.how == CROP:
            short = min(width, height)
            sides = (int(self.side * width / short), int(self.side * height / short))
        if image.size != sides:
            image = image.resize(sides, Resampling[self.interpolation.upper()])
        if sides == (self.size, self.size):
            return image
        left, top = (round((side - self.size) / 2) for side in sides)
        return image.crop((left, top, left + self.size, top + self.size))


def resized(images: np.ndarray, resizing: Resizing) -> np.ndarray:
    """Resize uint8 (N, 3, H, W) to uint8 (N, 3, size, size); returns the same array if nothing has to be done."""
    height, width = images.shape[2:]
    if resizing.size is None or resizing.fits(width, height):
        return images
    size = resizing.size
    out = np.empty((*images.shape[:2], size, size), dtype=np.uint8)
    if not resizing.usual:
        from PIL import Image

        for position, image in enumerate(images):
            picture = resizing(Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))))
            out[position] = np.asarray(picture).transpose(2, 0, 1)
        return out
    for start in range(0, len(images), _CHUNK_IMAGES):
        chunk = torch.from_numpy(images[start : start + _CHUNK_IMAGES]).float()
        chunk = torch.nn.functional.interpolate(
            chunk, size=(size, size), mode="bilinear", antialias=True, align_corners=False
        )
        out[start : start + _CHUNK_IMAGES] = chunk.round_().clamp_(0, 255).to(torch.uint8).numpy()
    return out
