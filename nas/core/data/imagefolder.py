"""Any folder of images sorted by class: `train/<class>/*` and `test/<class>/*`, or just `<class>/*`."""

from __future__ import annotations

import os
import struct
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from nas.core.data.loader import Loader, Raw, Source, log
from nas.core.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM")
_CHUNK = 256  # images per task at most: a task per image would cost more than decoding a small one
_LARGE = 16_384  # bytes a file; of 60,000 images of 900 bytes one thread decodes twice as many as two
_PIXELS = 2**26  # of one image, before it is resized: a small file may say that it has billions

Listing = dict[str, list[Source]]  # class -> its files, both sorted by name


class ImageFolder(Loader):
    """Images are turned to RGB and, with `data.size`, resized while they are decoded."""

    name = "imagefolder"
    doc = "your own images: data.root=FOLDER with train/<class>/* and test/<class>/*, or only <class>/*"
    needs_root = True

    def sources(self) -> list[Source]:
        return [source for part in self.parts for files in part.values() for source in files]

    @cached_property
    def parts(self) -> list[Listing]:
        """The listing of the training part and, where there is one, of the test part."""
        root = self.root
        if not root.is_dir():
            raise InputError(f"Expected data.root to be a folder of images but {root} is a file.")
        if not (root / "train").is_dir():
            if (root / "test").is_dir() and any(entry.is_dir() for entry in os.scandir(root / "test")):
                raise InputError(f"Expected a folder {root / 'train'} beside {root / 'test'} but it is missing.")
            return [_listing(root)]
        train = _listing(root / "train")
        if not (root / "test").is_dir():
            for other in ("val", "valid", "validation"):
                if (root / other).is_dir():
                    log.warning("%s is not used; name it `test` to measure on it.", root / other)
            return [train]
        test = _listing(root / "test")
        if train.keys() != test.keys():
            odd = sorted(train.keys() ^ test.keys())
            raise InputError(
                f"Expected the same classes in {root / 'train'} and {root / 'test'} but only one of them has "
                f"{', '.join(map(repr, odd[:5]))}{' and others' if len(odd) > 5 else ''}; add or remove it."
            )
        return [train, test]

    def read(self) -> Raw:
        from PIL import Image

        Image.init()  # before the threads: it is not safe to run twice at once
        classes = tuple(self.parts[0])
        files = self.sources()
        first = Decoded(files, self.size, _decode(files[0].path, self.size).shape[:2])
        counts = [[len(of_class) for of_class in part.values()] for part in self.parts]
        labels = [np.repeat(np.arange(len(part), dtype=np.int64), part) for part in counts]
        if len(labels) == 1:
            return Raw(first, labels[0], len(classes), classes=classes)
        cut = len(labels[0])
        train, test = (Decoded(part, self.size, first.sides, files[0]) for part in (files[:cut], files[cut:]))
        return Raw(train, labels[0], len(classes), test, labels[1], classes)


class Decoded:
    """The images of `files`, decoded when they are asked for; all have the sides (H, W) of `example`."""

    def __init__(
        self, files: list[Source], size: int | None, sides: tuple[int, ...], example: Source | None = None
    ) -> None:
        self.files = files
        self.size = size
        self.sides = sides
        self.example = example or files[0]
        self.workers = _workers(files)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.files), 3, *self.sides

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        images = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)
        chunk = max(1, min(_CHUNK, -(-len(index) // self.workers)))

        def decode(start: int) -> None:
            for i in range(start, min(start + chunk, len(index))):
                images[i] = self._decoded(self.files[index[i]].path)

        pool = ThreadPoolExecutor(self.workers)
        try:
            for _ in pool.map(decode, range(0, len(index), chunk)):
                pass
        finally:
            pool.shutdown(cancel_futures=True)
        return images

    def _decoded(self, path: str) -> np.ndarray:
        image = _decode(path, self.size)
        if image.shape[:2] != self.sides:
            height, width = self.sides
            raise InputError(
                f"Expected images of one size but {self.example.path} has {width} x {height} pixels and {path} "
                f"{image.shape[1]} x {image.shape[0]}; set data.size=."
            )
        return image.transpose(2, 0, 1)


def _listing(folder: Path) -> Listing:
    """The images of every class folder in `folder`; hidden folders and other files are passed over."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        listing = {name: _images(folder.absolute() / name) for name in names}
    except OSError as error:
        raise InputError(f"Expected to read {error.filename or folder} but: {error.strerror}.") from error
    if len(listing) < 2:
        got = f"only {names[0]!r}" if names else "none"
        raise InputError(f"Expected at least two class folders in {folder} but got {got}; one folder per class.")
    for name, files in listing.items():
        if not files:
            raise InputError(
                f"Expected images ({', '.join(SUFFIXES)}) in {folder / name} but got none; "
                "add some or remove the folder."
            )
    return listing


def _images(folder: Path) -> list[Source]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file():
                found.append(Source.listed(entry.path, entry.stat()))
    return sorted(found)


def _workers(files: list[Source]) -> int:
    """Threads to decode with: small files spend their time in Python, where several are slower than one."""
    mean_size = sum(file.size for file in files) / len(files)
    return 1 if mean_size < _LARGE else min(os.cpu_count() or 1, 16)


def _decode(path: str, size: int | None) -> np.ndarray:
    """uint8 (H, W, 3)."""
    from PIL import Image

    try:
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise InputError(f"Expected an image of 8 bits per channel but {path} has more; convert it.")
            if image.width * image.height > _PIXELS:
                raise InputError(f"Expected at most {_PIXELS:,} pixels but {path} has {image.size}; make it smaller.")
            rgb = image.convert("RGB")
        if size is not None and rgb.size != (size, size):
            rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(rgb)
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
        MemoryError,  # of a length in the file that is not so
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise InputError(
            f"Expected an image in {path} but it cannot be read ({error}); replace or remove it."
        ) from error
