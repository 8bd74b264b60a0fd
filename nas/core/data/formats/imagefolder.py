"""Any folder of images sorted by class: `train/<class>/*` and `test/<class>/*`, or just `<class>/*`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import ClassVar

import numpy as np

from nas.core.data.formats.base import Loader, Raw, Source
from nas.core.data.formats.folder_listing import Layout, layout
from nas.core.data.formats.image_decoding import decode, size_of
from nas.core.data.resize import SQUASH, Resizing
from nas.core.data.seen import OBLONG, Seen
from nas.core.data.settings import ALL
from nas.core.errors import InputError

_CHUNK_IMAGES = 256  # per task at most: a task for each image would take longer than decoding a small image
_LARGE_FILE_BYTES = 16_384  # mean size; one thread decodes images of 900 bytes twice as fast as two threads
GLANCE_IMAGES = 200  # images that are inspected, evenly spaced in the list


class ImageFolder(Loader):
    """Images are converted to RGB and, with `data.size`, resized while they are decoded.

    Pixels are used as they are stored: an orientation in EXIF data is not applied, and transparency is ignored.
    """

    name = "imagefolder"
    reads: ClassVar[frozenset[str] | None] = frozenset({"root", "order"})
    doc = "your own images: data.root=FOLDER of train/<class>/* and test/<class>/* or of <class>/*; docs/topics/data.md"
    needs_root = True

    def sources(self) -> list[Source]:
        self.notes += self.layout.notes
        return self._files()

    @cached_property
    def layout(self) -> Layout:
        return layout(self.root, self.settings.order, self.settings.test == ALL)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.layout.classes

    def _files(self) -> list[Source]:
        return [source for part in self.layout.parts for files in part.values() for source in files]

    def glance(self) -> Seen:
        files = self._files()
        sizes = [size_of(file.path) for file in files[:: -(-len(files) // GLANCE_IMAGES)]]
        return Seen.of(OBLONG * (width != height) for width, height in sizes)

    def read(self) -> Raw:
        from PIL import Image

        Image.init()  # before the threads start, because it is not thread-safe
        files, resizing = self._files(), self.resizing
        if resizing.how != SQUASH and all(resizing.fits(*size_of(file.path)) for file in files):
            resizing = Resizing(resizing.size)  # all images were cropped before
        first = Decoded(files, resizing, decode(files[0].path, resizing)[0].shape[:2])
        counts = [[len(of_class) for of_class in part.values()] for part in self.layout.parts]
        labels = [np.repeat(np.arange(len(part), dtype=np.int64), part) for part in counts]
        count = len(self.classes)
        if len(labels) == 1:
            return Raw(first, labels[0], count, classes=self.classes)
        cut = len(labels[0])
        train, test = (Decoded(part, resizing, first.sides, files[0]) for part in (files[:cut], files[cut:]))
        return Raw(train, labels[0], count, test, labels[1], self.classes)


class Decoded:
    """The images of `files`, decoded on demand; all must have the sides (H, W) of `example`.

    `noted` holds the bits (see `seen.py`) of each image that was decoded, and `None` for the others.
    """

    def __init__(
        self, files: list[Source], resizing: Resizing, sides: tuple[int, ...], example: Source | None = None
    ) -> None:
        self.files = files
        self.resizing = resizing
        self.sides = sides
        self.example = example or files[0]
        self.workers = _workers(files)
        self.noted: list[int | None] = [None] * len(files)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.files), 3, *self.sides

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        images = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)
        chunk = max(1, min(_CHUNK_IMAGES, -(-len(index) // self.workers)))

        def decode_chunk(start: int) -> None:
            for i in range(start, min(start + chunk, len(index))):
                images[i], self.noted[index[i]] = self._decoded(self.files[index[i]].path)

        pool = ThreadPoolExecutor(self.workers)
        try:
            for _ in pool.map(decode_chunk, range(0, len(index), chunk)):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
        return images

    def _decoded(self, path: str) -> tuple[np.ndarray, int]:
        image, flags = decode(path, self.resizing)
        if image.shape[:2] != self.sides:
            height, width = self.sides
            raise InputError(
                f"Expected images of one size but {self.example.path} has {width} x {height} pixels and {path} "
                f"{image.shape[1]} x {image.shape[0]}; set data.size."
            )
        return image.transpose(2, 0, 1), flags


def _workers(files: list[Source]) -> int:
    """Number of threads for decoding: one for small files, whose time goes to Python, which more threads slow down."""
    mean_size = sum(file.size for file in files) / len(files)
    return 1 if mean_size < _LARGE_FILE_BYTES else min(os.cpu_count() or 1, 16)
