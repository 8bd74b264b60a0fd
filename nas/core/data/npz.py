"""Any data set in one `.npz` file: `images`, `labels` and, if wanted, `test_images`, `test_labels`."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from nas.core.data.loader import Loader, Raw, Source
from nas.core.errors import InputError

_UNREADABLE = (OSError, EOFError, ValueError, SyntaxError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Npz(Loader):
    """`images` uint8 (N, H, W, C) with C of 1 or 3, or (N, H, W); `labels` whole numbers from 0."""

    name = "npz"
    doc = "your own arrays: data.root=FILE.npz with images uint8 NHWC and labels (and test_images, test_labels)"
    needs_root = True

    def sources(self) -> list[Source]:
        if not self.root.is_file():
            raise InputError(f"Expected data.root to be a .npz file but {self.root} is a folder.")
        return [Source.of(self.root)]

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
            file = np.load(path, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputError(f"Expected a .npz file at {path} but it holds a single array; use numpy.savez.")
            known = ("images", "labels", "test_images", "test_labels")
            with file:
                parts = {name: file[name] for name in known if name in file.files}
                held = ", ".join(file.files) or "nothing"
        except _UNREADABLE as error:
            raise InputError(f"Expected a .npz file of plain arrays at {path} but: {error}.") from error
        needed = {"images", "labels"} | ({"test_images", "test_labels"} if len(parts) > 2 else set())
        for name in sorted(needed - set(parts)):
            raise InputError(f"Expected the array {name!r} in {path} but it holds {held}.")
        return parts

    def _part(self, parts: dict[str, np.ndarray], image_key: str, label_key: str) -> tuple[np.ndarray, np.ndarray]:
        images, labels = parts[image_key], parts[label_key]
        if images.dtype != np.uint8:
            raise InputError(
                f"Expected {image_key!r} in {self.root} as uint8 (0..255) but got {images.dtype}; "
                "scale and convert them."
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
                f"{labels.dtype} {labels.shape}."
            )
        if labels.min() < 0 or labels.max() >= 2**31:
            raise InputError(
                f"Expected {label_key!r} in {self.root} to count from 0 but got {labels.min()}..{labels.max()}."
            )
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels.astype(np.int64)
