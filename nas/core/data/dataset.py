"""A data set: three parts with images and labels, and the statistics for normalising the images."""

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

    If the images do not fit in memory, they are mapped from a file and `on_disk` is true: then use `select` to read
    some of them, and never copy all.
    """

    images: torch.Tensor
    labels: torch.Tensor
    pages: MappedImages | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def on_disk(self) -> bool:
        return self.pages is not None

    def select(self, index: torch.Tensor) -> Split:
        """The images at the positions `index` (n,), in memory. Raises `InputError` if images on disk are damaged."""
        if self.pages is not None:
            self.pages.fetch(index.numpy())
        images = self.images.index_select(0, index)  # copies rows; indexing takes five times as long
        return Split(images, self.labels[index])

    def on(self, device: torch.device) -> Split:
        """All images and labels on `device`; without a copy if they are there already."""
        if self.pages is not None and device.type == "cpu":
            return self
        if self.pages is not None:
            self.pages.fetch(np.arange(len(self)))
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """`mean` and `std` are per channel, of the training images scaled to [0, 1], or of the test images without those.

    `classes` are the names of the classes in the order of their labels, if the data name them.
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
        """A part with images, for trials: the training part if it has any, otherwise the test part."""
        return self.train if len(self.train) else self.test

    @property
    def image_size(self) -> int:
        """Height (and width) of the images in pixels."""
        return self.train.images.shape[-2]


def attacked(dataset: Dataset, n: int) -> Split:
    """The first `n` test images in a fixed order, which does not depend on the seed of the run.

    So a smaller `n` gives the first images of a larger one. Raises `InputError` if there are not so many.
    """
    available = len(dataset.test)
    if not 1 <= n <= available:
        raise InputError(
            f"Expected between 1 and {available} images to attack but got {n}; "
            f"the test part of {dataset.name!r} holds {available}."
        )
    order = fixed_generator("attacked").permutation(available)[:n]
    index = torch.from_numpy(np.ascontiguousarray(order))
    return dataset.test.select(index)
