"""A data set: three parts with images and labels, and the statistics for normalising the images."""

from __future__ import annotations

import mmap
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nas.core.data.splits import fixed_generator
from nas.core.errors import InputError
from nas.core.io.files import DamagedError


class MappedImages:
    """The images of a part that does not fit in memory, in a mapped file: read ahead of their use, and checked.

    Each image has `size` bytes; the first starts at `offset`. `sums` holds the CRC-32 of each.
    """

    def __init__(self, path: Path, pages: mmap.mmap, offset: int, size: int, sums: np.ndarray) -> None:
        self.path = path
        self.pages = pages
        self.offset = offset
        self.size = size
        self.sums = sums
        self.unchecked = np.ones(len(sums), dtype=bool)

    def fetch(self, positions: np.ndarray) -> None:
        """Ask the system to read these images at once, not page by page; check those that are used for the first time.

        Raises `DamagedError`, which names the file, if an image is not what was written.
        """
        starts = self.offset + positions * self.size
        if hasattr(self.pages, "madvise"):
            for start in starts.tolist():
                first = start // mmap.PAGESIZE * mmap.PAGESIZE
                self.pages.madvise(mmap.MADV_WILLNEED, first, start + self.size - first)
        new = self.unchecked[positions]
        with memoryview(self.pages) as view:
            for position, start in zip(positions[new].tolist(), starts[new].tolist()):
                if zlib.crc32(view[start : start + self.size]) != self.sums[position]:
                    raise DamagedError(
                        f"Expected the images kept in {self.path} as they were written but image "
                        f"{start // self.size} is damaged; delete the file, and the images are decoded again."
                    )
        self.unchecked[positions] = False


@dataclass(frozen=True)
class Split:
    """Images (N, 3, H, W), contiguous, and their labels, int64 (N,).

    The images are uint8; those that a call from Python gives as floats stay floats in [0, 1].

    If the images do not fit in memory, they are mapped from a file and `on_disk` is true: then use `select` to read
    some of them, and never copy all of them.
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
        """All images and labels on `device`, copied only if they are elsewhere. Raises `InputError` like `select`."""
        if self.pages is not None and device.type == "cpu":
            return self
        if self.pages is not None:
            self.pages.fetch(np.arange(len(self)))
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    """A data set. `mean` and `std` of each channel are those of the training images (if there are none, of the test
    images) scaled to [0, 1].

    `classes` are the names of the classes in the order of their labels, if the data name them. If `in_order` is true,
    the test images are attacked in their own order. `remarks` become those of an evaluation on the test images.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    classes: tuple[str, ...] = ()
    in_order: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def example(self) -> Split:
        """A part with images, for trials: the training part if it has any, otherwise the test part."""
        return self.train if len(self.train) else self.test

    @property
    def image_size(self) -> int:
        """Height (and width) of the images in pixels."""
        return self.train.images.shape[-2]


def attacked(dataset: Dataset, n: int) -> Split:
    """The `n` test images that an evaluation attacks. Raises `InputError` if there are fewer than `n`."""
    return dataset.test.select(torch.from_numpy(attacked_positions(dataset, n)))


def attacked_positions(dataset: Dataset, n: int) -> np.ndarray:
    """The positions of the images to attack: the first `n` in a fixed order, which does not depend on the run's seed.

    A smaller `n` gives the first positions of a larger one. Raises `InputError` if there are fewer than `n` test
    images.
    """
    available = len(dataset.test)
    if not 1 <= n <= available:
        raise InputError(
            f"Expected between 1 and {available} images to attack but got eval.n_test={n}; the test part of "
            f"{dataset.name!r} holds {available}."
        )
    order = np.arange(available) if dataset.in_order else fixed_generator("attacked").permutation(available)
    return np.ascontiguousarray(order[:n])
