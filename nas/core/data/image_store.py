"""Decoded images in one file that is mapped into memory: the operating system reads the pages that are used.

    images of the training, validation and test part, uint8, (N, 3, H, W) each, in the order of the split
    labels, int64 (N,)
    CRC-32 of every image, uint32 (N,)
    description, JSON: counts of the parts, shape of an image, number of classes, statistics, CRC-32 of labels and CRCs
    length and CRC-32 of the description, `MAGIC`

All whole numbers are little-endian. The images come first because they are written first; they begin at a page. All
processes that map the file share its pages; the operating system drops pages if memory runs short.

**Damage.** The description is checked at every start. If the images fit in memory, all of them are checked at every
start, which also reads them. In a larger data set, each image is checked when a process first uses it: reading 193 GB
at every start would take longer than many evaluations, and a check of some images would miss others that are used.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch

from nas.core.data.channel_statistics import Histogram
from nas.core.data.dataset import MappedImages, Split
from nas.core.data.formats.base import Pictures, Triple
from nas.core.data.seen import Levels, Seen
from nas.core.execution import available_memory
from nas.core.io.records import Record

MAGIC = b"nas-img2"
CHUNK = 16 * 2**20  # bytes decoded, written and checked at a time
_TAIL = struct.Struct("<QI8s")
_LABEL, _SUM = np.dtype("<i8"), np.dtype("<u4")


@dataclass(frozen=True)
class Description(Record):
    """The description of the images at the end of the file."""

    counts: list[int]  # images in each part
    shape: list[int]  # of an image
    num_classes: int
    mean: Triple
    std: Triple
    table: int  # CRC-32 of the labels and the CRCs of the images
    seen: Seen = field(default_factory=Seen)  # missing in files written before 0.3.0


class Part(NamedTuple):
    """One part of the split: the images of `pictures` at the positions `order`, and their labels."""

    pictures: Pictures
    order: np.ndarray
    labels: np.ndarray


class Content(NamedTuple):
    """What is written to a file of images."""

    parts: Sequence[Part]
    num_classes: int
    seen: Callable[[], Seen]  # called after all images have been decoded


@dataclass(frozen=True)
class ImageStore:
    """The content of an open file; the images of the parts are mapped, not read."""

    parts: tuple[Split, Split, Split]
    description: Description


# writing


class ImageStoreWriter:
    """Writes a file of images, and beside it another file with the CRC-32 of the images written so far.

    If the writing was interrupted, it continues after the last whole chunk: decoding a large data set takes hours.
    """

    def __init__(self, images: BinaryIO, sums: BinaryIO) -> None:
        self.images = images
        self.sums = sums

    def write(self, content: Content) -> None:
        """Write the missing images and the rest of the file. Raises `OSError` if the disk is full or fails."""
        parts = content.parts
        shape = parts[0].pictures.shape[1:]
        size = math.prod(shape)
        histogram = Histogram()
        count = len(parts[0].order) or sum(len(part.order) for part in parts)  # images for the statistics
        levels = Levels([len(part.order) for part in parts])
        done, sums = 0, []
        for chunk in self._undamaged(size, sum(len(part.order) for part in parts)):
            histogram.add(chunk[: max(0, count - done)].reshape(-1, *shape))
            levels.add(chunk)
            sums.append(_sums(chunk))
            done += len(chunk)
        for chunk in _decoded(list(_pieces(parts, max(1, CHUNK // size), done))):
            histogram.add(chunk[: max(0, count - done)])
            levels.add(chunk)
            sums.append(_sums(chunk))
            self.images.write(np.ascontiguousarray(chunk).data)
            self.images.flush()
            self.sums.write(sums[-1].tobytes())
            self.sums.flush()
            done += len(chunk)
        mean, std = histogram.statistics()
        labels = np.concatenate([part.labels for part in parts]).astype(_LABEL)
        table = labels.tobytes() + np.concatenate(sums).tobytes()
        description = Description(
            counts=[len(part.order) for part in parts],
            shape=list(shape),
            num_classes=content.num_classes,
            mean=mean,
            std=std,
            table=zlib.crc32(table),
            seen=replace(content.seen(), levels=levels.largest),
        )
        text = json.dumps(description.to_json()).encode()
        self.images.write(table + text + _TAIL.pack(len(text), zlib.crc32(text), MAGIC))
        self.images.flush()
        os.fsync(self.images.fileno())

    def _undamaged(self, size: int, limit: int) -> Iterator[np.ndarray]:
        """The undamaged images (n, size) that an interrupted writer left; both files are cut after them."""
        content = self.sums.read()
        known = np.frombuffer(content, dtype=_SUM, count=min(limit, len(content) // _SUM.itemsize))
        step, done = max(1, CHUNK // size), 0
        while done < len(known):
            wanted = known[done : done + step]
            chunk = np.frombuffer(self.images.read(len(wanted) * size), dtype=np.uint8)
            if len(chunk) < len(wanted) * size or not np.array_equal(_sums(chunk.reshape(-1, size)), wanted):
                break
            yield chunk.reshape(-1, size)
            done += len(wanted)
        for file, length in ((self.images, done * size), (self.sums, done * _SUM.itemsize)):
            file.truncate(length)
            file.seek(length)


def bytes_needed(parts: Sequence[Part]) -> int:
    """Bytes that the images of all parts take."""
    return sum(len(part.order) for part in parts) * math.prod(parts[0].pictures.shape[1:])


def _pieces(parts: Sequence[Part], step: int, skip: int) -> Iterator[tuple[Pictures, np.ndarray]]:
    for part in parts:
        index, skip = part.order[skip:], max(0, skip - len(part.order))
        yield from ((part.pictures, index[start : start + step]) for start in range(0, len(index), step))


def _decoded(pieces: Sequence[tuple[Pictures, np.ndarray]]) -> Iterator[np.ndarray]:
    """The images of each piece, decoded while the caller writes the previous piece."""
    rest = iter(pieces)
    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(pictures.__getitem__, index) for pictures, index in islice(rest, 2))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(pictures.__getitem__, index) for pictures, index in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _sums(images: np.ndarray) -> np.ndarray:
    """CRC-32 of each image."""
    return np.fromiter(map(zlib.crc32, np.ascontiguousarray(images)), dtype=_SUM, count=len(images))


# reading


def open_store(path: Path) -> ImageStore:
    """Map the file at `path`. Raises `ValueError`, `KeyError`, `TypeError` or `OSError` if it is damaged."""
    with path.open("rb") as file:
        description, labels, sums = _read_description(file)
        size = math.prod(description.shape)
        pages = _mapped(file, len(labels) * size)
    in_memory = available_memory.fits(len(pages))
    flat = np.frombuffer(pages, dtype=np.uint8)
    if in_memory:
        _check(flat.reshape(-1, size), sums)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        images = torch.from_numpy(flat).view(-1, *description.shape)
    parts, first = [], 0
    for count in description.counts:
        own = slice(first, first + count)
        source = None if in_memory else MappedImages(path, pages, first * size, size, sums[own])
        parts.append(Split(images[own], torch.from_numpy(labels[own].copy()), source))
        first += count
    return ImageStore((parts[0], parts[1], parts[2]), description)


def _read_description(file: BinaryIO) -> tuple[Description, np.ndarray, np.ndarray]:
    """The description, the labels, and the CRC of each image. Raises `ValueError` if they are damaged."""
    end = file.seek(0, os.SEEK_END) - _TAIL.size
    if end < 0:
        raise ValueError("it is too short")
    file.seek(end)
    length, check, magic = _TAIL.unpack(file.read())
    if magic != MAGIC or length > end:
        raise ValueError("its end is missing")
    file.seek(end - length)
    text = file.read(length)
    if zlib.crc32(text) != check:
        raise ValueError("its description has changed")
    description = Description.from_json(json.loads(text))
    total = sum(description.counts)
    table = total * (_LABEL.itemsize + _SUM.itemsize)
    if end - length - table != total * math.prod(description.shape):
        raise ValueError("its size has changed")
    file.seek(end - length - table)
    content = file.read(table)
    if zlib.crc32(content) != description.table:
        raise ValueError("its labels have changed")
    cut = total * _LABEL.itemsize
    labels = np.frombuffer(content[:cut], dtype=_LABEL).astype(np.int64)
    return description, labels, np.frombuffer(content[cut:], dtype=_SUM)


def _mapped(file: BinaryIO, length: int) -> mmap.mmap:
    """The first `length` bytes, mapped so that writing to them changes only a copy of this process.

    The system reserves memory for such a mapping and refuses one that is too large; then the bytes are read-only.
    """
    try:
        return mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY)
    except OSError:
        return mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ)


def _check(images: np.ndarray, sums: np.ndarray) -> None:
    step = max(1, CHUNK // max(1, images.shape[1]))
    for start in range(0, len(images), step):
        wrong = np.flatnonzero(_sums(images[start : start + step]) != sums[start : start + step])
        if len(wrong):
            raise ValueError(f"image {start + wrong[0]} has changed")
