"""Data sets: images, folders of them, arrays in .npz, and the pickles of CIFAR and ImageNet16."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from contract import SEPARATOR, folder, target
from PIL import Image

from nas.core.data import Dataset, DataSettings, load
from nas.core.data.loading import LOADERS
from nas.core.errors import InputError

SIDE = 8
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")


def _picture(seed: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def _loads(name: str, root: Path, size: int | None = None) -> Dataset:
    dataset = load(DataSettings(name, str(root), size=size), keep=False)
    for part in (dataset.train, dataset.validation, dataset.test):
        assert len(part.images) == len(part.labels) > 0
        assert 0 <= int(part.labels.min()) <= int(part.labels.max()) < dataset.num_classes
    return dataset


@target(
    "image",
    lambda: [
        *(_picture(1, kind) for kind in FORMATS),
        *(_picture(1, "PNG", mode) for mode in ("L", "P", "1", "LA", "RGBA")),
        _picture(1, "JPEG", "CMYK"),
    ],
)
def image(data: bytes) -> None:
    """An image file among others in a folder by class."""
    with folder() as place:
        for name, content in (("a", data), ("b", _picture(2))):
            (place / name).mkdir()
            for number in range(3):
                (place / name / f"{number}.png").write_bytes(content)
        dataset = _loads("imagefolder", place, SIDE)
        assert dataset.train.images.shape[1:] == (3, SIDE, SIDE)


@target(
    "image-names",
    lambda: [
        "\n".join(f"{part}{name}/{n}.png" for part in parts for name in "ab" for n in range(6)).encode()
        for parts in (("",), ("train/", "test/"))
    ],
)
def image_names(data: bytes) -> None:
    """The names of folders and files in a folder of images, one path per line."""
    with folder() as place:
        for number, name in enumerate(data.split(b"\n")[:100]):
            path = Path(str(place) + "/" + name.decode("utf-8", "surrogateescape").replace("..", "").strip("/"))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_picture(number % 2))
            except (OSError, ValueError):  # the system has no such name
                continue
        _loads("imagefolder", place)


def _arrays() -> dict[str, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    return {"images": images, "labels": np.arange(12) % 2}


def _npz_files() -> Sequence[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {**_arrays()}
        save(buffer, **arrays)
        found.append(buffer.getvalue())
    return found


@target("npz", _npz_files)
def npz(data: bytes) -> None:
    """A file of arrays."""
    with folder() as place:
        (place / "mine.npz").write_bytes(data)
        _loads("npz", place / "mine.npz")


def _npy_files() -> Sequence[bytes]:
    found = []
    for array in _arrays().values():
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return [SEPARATOR.join(found), SEPARATOR.join([*found, *found])]


@target("npz-arrays", _npy_files)
def npz_arrays(data: bytes) -> None:
    """The arrays in a file of arrays, in an archive with correct checksums."""
    with folder() as place:
        with zipfile.ZipFile(place / "mine.npz", "w") as archive:
            for name, part in zip(("images", "labels", "test_images", "test_labels"), data.split(SEPARATOR)):
                archive.writestr(f"{name}.npy", part)
        _loads("npz", place / "mine.npz")


def _batches(side: int, label_key: str, first: int) -> Sequence[bytes]:
    data = np.zeros((2, 3 * side**2), np.uint8)
    contents = [{"data": data, label_key: [first, first + 1]}, {b"data": data, label_key.encode(): [first, first]}]
    contents.append({"data": data, label_key: np.array([first, first + 1])})
    return [pickle.dumps(content, protocol) for content in contents for protocol in (0, 2, 4)]


def _read_batches(name: str, data: bytes) -> None:
    """Read a data set of which every file has the same content."""
    with folder() as place:
        settings = DataSettings(name, str(place), download=False)
        loader = LOADERS.get(name)(settings)
        for file in (*loader.train_files, *loader.test_files):  # type: ignore[attr-defined]
            (place / file).write_bytes(data)
        if not loader.sources():
            raise InputError("Expected files.")
        raw = loader.read()
        assert len(raw.images) == len(raw.labels)


@target("cifar", lambda: _batches(32, "fine_labels", 0))
def cifar(data: bytes) -> None:
    """A pickled batch of CIFAR-100."""
    _read_batches("cifar100", data)


@target("imagenet16", lambda: _batches(16, "labels", 1))
def imagenet16(data: bytes) -> None:
    """A pickled batch of ImageNet16."""
    _read_batches("imagenet16-120", data)
