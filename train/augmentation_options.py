"""Options of the augmentation of training images, and the order in which they change a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from nas.core.config import Section
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.optimisation.image_augmentations import color_jitter, cutout, random_crop, random_flip, resized_crop
from nas.core.optimisation.shards import BatchShard

MAX_JITTER = (1.0, 1.0, 1.0, 0.5)  # for brightness, contrast, saturation and hue


@dataclass
class AugmentationOptions(Section):
    """The random changes of training images."""

    crop: int = 4  # random crop after padding by this many pixels; 0 for none
    resized_crop: int = 0  # side in pixels to which a random rectangle is resized; 0 for none
    flip: bool = True  # mirror half of the images
    jitter: list[float] = field(default_factory=list)  # of brightness, contrast, saturation and hue: [.4,.4,.4,.2]
    cutout: int = 0  # side of a square that is filled with the mean colour; 0 for none

    def check(self) -> None:
        super().check()
        self.check_between({"crop": (0, 512), "resized_crop": (0, 1024), "cutout": (0, 512)})
        within = [0 <= value <= largest for value, largest in zip(self.jitter, MAX_JITTER)]
        if self.jitter and (len(self.jitter) != len(MAX_JITTER) or not all(within)):
            raise InputError(
                f"Expected {self.section}.jitter of four numbers, brightness, contrast and saturation up to 1 and hue "
                f"up to .5, but got {self.jitter}; leave it empty for none."
            )

    def augmented(self, images: Tensor, fill: Tensor, generator: torch.Generator, shard: BatchShard | None) -> Tensor:
        """Augment images (B, 3, H, W) of bytes and return them as floats in [0, 1].

        `fill` (1, 3, 1, 1) is the colour of the square that cutout blanks. If the images are only a `shard` of a batch,
        random numbers are drawn for the whole batch.
        """
        if self.crop:
            images = random_crop(images, self.crop, generator, shard)
        if self.flip:
            images = random_flip(images, generator, shard)
        x = unit_range(images)
        if self.resized_crop:
            x = resized_crop(x, self.resized_crop, generator, shard)
        if self.jitter:
            x = color_jitter(x, self.jitter, generator, shard)
        return cutout(x, self.cutout, fill, generator, shard) if self.cutout else x
