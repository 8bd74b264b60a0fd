"""The two halves of the training images, one for each level of the search, and their batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nas.core.data import Split
from nas.core.data.splits import HALF, take
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.optimisation.image_augmentations import random_crop, random_flip

Batch = tuple[Tensor, Tensor]  # images (B, 3, H, W) in [0, 1], labels (B,)


def halves(split: Split, num_classes: int) -> tuple[Split, Split]:
    """Copies of the half for the weights and the half for α: disjoint, each with half of every class, always the same.

    Raises InputError if the images do not fit in memory.
    """
    if split.on_disk:
        raise InputError(
            f"Expected training images that fit in memory for a supernet but the {len(split)} of "
            f"{split.images.shape[-1]} pixels do not; set data.size to fewer pixels."
        )
    first, second = take(split.labels.cpu().numpy(), num_classes, HALF, "supernet")
    return tuple(Split(split.images[part], split.labels[part]) for part in (first, second))  # type: ignore[return-value]


def half_batches(
    half: Split, steps: int, size: int, crop: int, flip: bool, generator: torch.Generator
) -> Iterator[Batch]:
    """`steps` batches of `size` augmented images in a random order, which starts again if the half is too small."""
    device = half.images.device
    order = torch.randperm(len(half), generator=generator, device=device)
    positions = torch.arange(steps * size, device=device) % len(half)
    for chosen in order[positions].split(size):
        images = half.images[chosen]
        if crop:
            images = random_crop(images, crop, generator)
        if flip:
            images = random_flip(images, generator)
        yield unit_range(images), half.labels[chosen]


def on_device(split: Split, device: torch.device) -> Split:
    """The same images and labels on a device."""
    return Split(split.images.to(device), split.labels.to(device))
