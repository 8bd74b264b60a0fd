"""A data set: three splits of images and labels and what is needed to normalise them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nas.core.data.mapped_images import MappedImages
from nas.core.data.splits import fixed_generator
from nas.core.errors import InputError


@dataclass(frozen=True)
class Split:
    """Images, uint8 (N, 3, H, W), contiguous, and their labels, int64 (N,).

    Where the images do not fit in memory they are mapped from a file and `on_disk` says so: `picked` is then the way to
    some of them, and nobody may copy all.
    """

    images: torch.Tensor
    labels: torch.Tensor
    pages: MappedImages | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_disk(self) -> bool:
        return self.pages is not None

    def picked(self, index: torch.Tensor) -> Split:
        """The images at the positions `index` (n,), in memory; `InputError` where those on disk are damaged."""
        if self.pages is not None:
            self.pages.fetch(index.numpy())
        images = self.images.index_select(0, index)  # copies rows; indexing takes five times as long
        return Split(images, self.labels[index])

    def on(self, device: torch.device) -> Split:
        """All images and labels on `device`; the same ones where they are there."""
        if self.pages is not None and device.type == "cpu":
            return self
        if self.pages is not None:
            self.pages.fetch(np.arange(len(self)))
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """`mean` and `std` are per channel, of the training images scaled to [0, 1]; of the others where there are none.

    `classes` are the names of the classes in the order of their labels, where the data tell them.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...] = ()

    @property
    def example(self) -> Split:
        """A part that has images, to try something on: the training part where it has some, else the test part."""
        return self.train if len(self.train) else self.test

    @property
    def image_size(self) -> int:
        """Height (and width) of the images in pixels."""
        return self.train.images.shape[-2]


def attacked(dataset: Dataset, n: int) -> Split:
    """The first `n` test images in a fixed order: the same images whatever the seed of the run.

    The images for a smaller `n` are the first of those for a larger one.
    """
    there = len(dataset.test)
    if not 1 <= n <= there:
        raise InputError(
            f"Expected between 1 and {there} images to attack but got {n}; "
            f"the test part of {dataset.name!r} holds {there}."
        )
    order = fixed_generator("attacked").permutation(there)[:n]
    index = torch.from_numpy(np.ascontiguousarray(order))
    return dataset.test.picked(index)
