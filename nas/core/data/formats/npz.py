"""Any data set in one `.npz` file: `images`, `labels` and, optionally, `test_images`, `test_labels`."""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO, ClassVar

import numpy as np
from numpy.lib import format as npy

from nas.core.data.formats.base import Loader, Raw, Source
from nas.core.data.formats.folder_listing import ARCHIVER
from nas.core.errors import InputError

_UNREADABLE = (  # what zipfile, zlib and numpy raise for a damaged or foreign file
    *(OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError, OverflowError, MemoryError),
    *(LookupError, struct.error, TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
TESTED = {"test_images", "test_labels"}
_KNOWN = ("images", "labels", *sorted(TESTED))
MAX_NAMED = 20  # arrays named in one sentence
MAX_EXPANSION = 300  # unpacked bytes per byte of the file; photographs reach 3, drawings 50, zeros 1,000
FREE_BYTES = 2**28  # unpacked bytes that any file may have


class Npz(Loader):
    """`images` uint8 (N, H, W, C) with C of 1 or 3, or (N, H, W); `labels` whole numbers from 0."""

    name = "npz"
    reads: ClassVar[frozenset[str] | None] = frozenset({"root"})
    doc = "your own arrays: data.root=FILE.npz with images uint8 NHWC and labels (and test_images, test_labels)"
    needs_root = True

    def sources(self) -> list[Source]:
        if not self.root.is_file():
            raise InputError(f"Expected data.root to be a .npz file but {self.root} is a folder.")
        source = Source.of(self.root)
        self._name_unused()
        return [source]

    def _name_unused(self) -> None:
        try:
            with zipfile.ZipFile(self.root) as archive:
                names = archive.namelist()
        except _UNREADABLE:  # `read` reports the error
            return
        arrays = [name.removesuffix(".npy") for name in names if not name.startswith(ARCHIVER)]
        unused = [name for name in arrays if name not in _KNOWN]
        if unused:
            more = f" and {len(unused) - MAX_NAMED} more" if len(unused) > MAX_NAMED else ""
            self.notes.append(
                f"These parts of {self.root} are not used: {', '.join(map(repr, unused[:MAX_NAMED]))}{more}; only "
                f"{', '.join(_KNOWN)} are read."
            )

    def read(self) -> Raw:
        parts = self._parts(self.root)
        images, labels = self._part(parts, "images", "labels")
        test_images = test_labels = None
        if "test_images" in parts:
            test_images, test_labels = self._part(parts, "test_images", "test_labels")
        num_classes = 1 + max(int(labels.max()), -1 if test_labels is None else int(test_labels.max()))
        if num_classes < 2 or len(np.unique(labels)) < 2:
            raise InputError(f"Expected at least two classes in {self.root} but all labels are the same.")
        if num_classes > len(labels):
            raise InputError(
                f"Expected labels in {self.root} that count from 0 without gaps but got label "
                f"{num_classes - 1} among {len(labels)} images; renumber them."
            )
        return Raw(images, labels, num_classes, test_images, test_labels)

    def _parts(self, path: Path) -> dict[str, np.ndarray]:
        try:
            with path.open("rb") as file:
                if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
                    raise InputError(f"Expected a .npz file at {path} but it holds a single array; use numpy.savez.")
            with zipfile.ZipFile(path) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                _check_size(path, archive)
                parts = {name: _array(archive, f"{name}.npy") for name in _KNOWN if f"{name}.npy" in archive.namelist()}
        except _UNREADABLE as error:
            reason = str(error) or type(error).__name__
            raise InputError(f"Expected a .npz file of plain arrays at {path} but: {reason}.") from error
        needed = {"images", "labels"} | (TESTED if len(parts) > 2 else set())
        for name in sorted(needed - set(parts)):
            alone = set(parts) == TESTED
            advice = (
                "; if there are test images alone, call them images and labels, with data.test=all" if alone else ""
            )
            raise InputError(
                f"Expected the array {name!r} in {path} but it holds {', '.join(names) or 'nothing'}{advice}."
            )
        return parts

    def _part(self, parts: dict[str, np.ndarray], image_key: str, label_key: str) -> tuple[np.ndarray, np.ndarray]:
        images, labels = parts[image_key], parts[label_key]
        if images.dtype != np.uint8:
            raise InputError(
                f"Expected {image_key!r} in {self.root} as uint8 (0..255) but got {images.dtype}{_levels(images)}; "
                "store bytes: undo a normalisation (networks normalise inside), multiply [0, 1] by 255."
            )
        if images.ndim == 3:
            images = images[..., None]
        if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
            raise InputError(
                f"Expected {image_key!r} in {self.root} as (N, H, W, C), C 1 or 3, or (N, H, W) but got "
                f"{parts[image_key].shape}; transpose them."
            )
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),):
            raise InputError(
                f"Expected {label_key!r} in {self.root} as {len(images)} whole numbers but got "
                f"{labels.dtype} {labels.shape}; {_as_numbers(labels, len(images))}."
            )
        if labels.min() < 0 or labels.max() >= 2**31:
            raise InputError(
                f"Expected {label_key!r} in {self.root} to count from 0 but got {labels.min()}..{labels.max()}."
            )
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels.astype(np.int64)


def _levels(images: np.ndarray) -> str:
    """The range of the values in words, if they are numbers."""
    return f" from {images.min():.5g} to {images.max():.5g}" if images.dtype.kind in "iuf" and images.size else ""


def _as_numbers(labels: np.ndarray, images: int) -> str:
    """Advice on turning labels of another common form into one whole number per image."""
    if labels.shape == (images, 1):
        return "store labels.reshape(-1)"
    if labels.ndim == 2 and len(labels) == images:
        return "for one-hot rows, store labels.argmax(axis=1)"
    return "store one whole number per image, from 0"


def _check_size(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises `InputError` for a small file that would fill the memory when it is unpacked."""
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > max(FREE_BYTES, MAX_EXPANSION * path.stat().st_size):
        raise InputError(
            f"Expected a .npz file of images but {path} unpacks to {unpacked:,} bytes from "
            f"{path.stat().st_size:,}; save it with numpy.savez, which does not compress."
        )


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """An array of the archive. Raises `ValueError` before memory is allocated if the archive has fewer bytes for it."""
    with archive.open(name) as file:
        shape, dtype = _header(file)
        size = math.prod(shape) * dtype.itemsize
        available = archive.getinfo(name).file_size - file.tell()
    if dtype.hasobject or size != available:
        why = "objects" if dtype.hasobject else f"{available:,} bytes but needs {size:,} for {dtype} {shape}"
        raise ValueError(f"{name} has {why}")
    with archive.open(name) as file:
        return npy.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the type at the beginning of a .npy file."""
    version = npy.read_magic(file)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version} of the .npy format is for structured types, which images do not have")
    shape, _, dtype = read(file)
    return shape, dtype
