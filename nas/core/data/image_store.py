"""Images as one file that is mapped into memory: decoded once, then read by the operating system where they are used.

    images of training, validation and test, uint8, (N, 3, H, W) each, in the order of the split
    labels, int64 (N,)
    CRC-32 of every image, uint32 (N,)
    description, JSON: counts of the parts, shape of an image, classes, statistics, CRC-32 of labels and CRCs
    length and CRC-32 of the description, `MAGIC`

All whole numbers are little-endian. The images come first because they are written first, and page-aligned. A process
that maps the file shares its pages with all others; the operating system drops them where memory is short.

**Damage.** The description is checked at every start. Images that fit in memory are all checked at every start, which
also reads them. Of larger data, each image is checked when a process uses it for the first time: reading 193 GB at
every start would take longer than many an evaluation, and a sample would miss what matters, the images that are used.
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
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch

from nas.core.data.channel_statistics import Histogram
from nas.core.data.dataset import Split
from nas.core.data.formats.base import Pictures, Triple
from nas.core.data.mapped_images import MappedImages
from nas.core.data.seen import Levels, Seen
from nas.core.execution import available_memory
from nas.core.io.records import Json, Record

MAGIC = b"nas-img2"
CHUNK = 16 * 2**20  # bytes that are decoded, written and checked at a time
_TAIL = struct.Struct("<QI8s")
_LABEL, _SUM = np.dtype("<i8"), np.dtype("<u4")


@dataclass(frozen=True)
class Description(Record):
    """What the file says of its images."""

    counts: list[int]  # of the parts
    shape: list[int]  # of an image
    num_classes: int
    mean: Triple
    std: Triple
    table: int  # CRC-32 of labels and CRCs
    seen: Json = field(default_factory=dict)  # nothing in files of before 0.3.0


class Part(NamedTuple):
    """One part of the split: the images of `pictures` at the positions `order`, and their labels."""

    pictures: Pictures
    order: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class ImageStore:
    """What the file holds; the images of the parts are mapped, not read."""

    parts: tuple[Split, Split, Split]
    num_classes: int
    mean: Triple
    std: Triple
    seen: Seen  # nothing in files of before 0.3.0


# writing


class ImageStoreWriter:
    """A file that is being written, and beside it the CRC-32 of the images that it has so far.

    An interrupted writing continues behind the last whole chunk: decoding a large data set takes hours.
    """

    def __init__(self, images: BinaryIO, sums: BinaryIO) -> None:
        self.images = images
        self.sums = sums

    def write(self, parts: Sequence[Part], num_classes: int, seen: Callable[[], Seen] = Seen) -> None:
        """Images that are not there yet, then all that follows them; `OSError` where the disk refuses."""
        shape = parts[0].pictures.shape[1:]
        size = math.prod(shape)
        histogram = Histogram()
        count = len(parts[0].order) or sum(len(part.order) for part in parts)  # those that are measured
        levels = Levels([len(part.order) for part in parts])
        done, sums = 0, []
        for chunk in self._whole(size, sum(len(part.order) for part in parts)):
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
        about = Description(
            counts=[len(part.order) for part in parts],
            shape=list(shape),
            num_classes=num_classes,
            mean=mean,
            std=std,
            table=zlib.crc32(table),
            seen=asdict(replace(seen(), levels=levels.largest)),
        )
        text = json.dumps(about.to_json()).encode()
        self.images.write(table + text + _TAIL.pack(len(text), zlib.crc32(text), MAGIC))
        self.images.flush()
        os.fsync(self.images.fileno())

    def _whole(self, size: int, limit: int) -> Iterator[np.ndarray]:
        """The images (n, size) that an interrupted writing left undamaged; the files are cut behind them."""
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


def needed(parts: Sequence[Part]) -> int:
    """Bytes of all images."""
    return sum(len(part.order) for part in parts) * math.prod(parts[0].pictures.shape[1:])


def _pieces(parts: Sequence[Part], step: int, skip: int) -> Iterator[tuple[Pictures, np.ndarray]]:
    for part in parts:
        index, skip = part.order[skip:], max(0, skip - len(part.order))
        yield from ((part.pictures, index[start : start + step]) for start in range(0, len(index), step))


def _decoded(pieces: Sequence[tuple[Pictures, np.ndarray]]) -> Iterator[np.ndarray]:
    """The images of each piece; the next are decoded while one is written."""
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


def opened(path: Path) -> ImageStore:
    """The file, mapped; `ValueError` (or `OSError`) where it is damaged."""
    with path.open("rb") as file:
        about, labels, sums = _described(file)
        size = math.prod(about.shape)
        pages = _mapped(file, len(labels) * size)
    in_memory = available_memory.fits(len(pages))
    flat = np.frombuffer(pages, dtype=np.uint8)
    if in_memory:
        _check(flat.reshape(-1, size), sums)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        images = torch.from_numpy(flat).view(-1, *about.shape)
    parts, first = [], 0
    for count in about.counts:
        own = slice(first, first + count)
        source = None if in_memory else MappedImages(path, pages, first * size, size, sums[own])
        parts.append(Split(images[own], torch.from_numpy(labels[own].copy()), source))
        first += count
    return ImageStore((parts[0], parts[1], parts[2]), about.num_classes, about.mean, about.std, Seen.read(about.seen))


def _described(file: BinaryIO) -> tuple[Description, np.ndarray, np.ndarray]:
    """What follows the images: description, labels, CRC of each image."""
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
    about = Description.from_json(json.loads(text))
    total = sum(about.counts)
    table = total * (_LABEL.itemsize + _SUM.itemsize)
    if end - length - table != total * math.prod(about.shape):
        raise ValueError("it has another size than was written")
    file.seek(end - length - table)
    content = file.read(table)
    if zlib.crc32(content) != about.table:
        raise ValueError("its labels have changed")
    cut = total * _LABEL.itemsize
    labels = np.frombuffer(content[:cut], dtype=_LABEL).astype(np.int64)
    return about, labels, np.frombuffer(content[cut:], dtype=_SUM)


def _mapped(file: BinaryIO, length: int) -> mmap.mmap:
    """The first `length` bytes; writing to them changes this process's copy, or nothing where they exceed memory.

    For what may be written the system sets memory aside, and refuses where there is less.
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
