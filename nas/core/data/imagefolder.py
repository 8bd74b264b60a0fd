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
_CHUNK = 256  # images per task: a task per image would cost more than decoding a small one
_LARGE = 16_384  # bytes a file; of 60,000 images of 900 bytes one thread decodes twice as many as two

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
        log.info("Decoding %d images; they are kept for the next start.", len(files))
        first = _decode(files[0].path, self.size)
        images = np.empty((len(files), 3, *first.shape[:2]), dtype=np.uint8)

        def decode(start: int) -> None:
            for i in range(start, min(start + _CHUNK, len(files))):
                image = _decode(files[i].path, self.size)
                if image.shape != first.shape:
                    raise InputError(
                        f"Expected images of one size but {files[0].path} has {first.shape[1]} x "
                        f"{first.shape[0]} pixels and {files[i].path} {image.shape[1]} x {image.shape[0]}; "
                        "set data.size=."
                    )
                images[i] = image.transpose(2, 0, 1)

        pool = ThreadPoolExecutor(_workers(files))
        try:
            for _ in pool.map(decode, range(0, len(files), _CHUNK)):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

        labels = [
            np.repeat(np.arange(len(part), dtype=np.int64), [len(of_class) for of_class in part.values()])
            for part in self.parts
        ]
        if len(labels) == 1:
            return Raw(images, labels[0], len(classes), classes=classes)
        cut = len(labels[0])
        return Raw(images[:cut], labels[0], len(classes), images[cut:], labels[1], classes)


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
                status = entry.stat()
                found.append(Source(entry.path, status.st_size, status.st_mtime_ns))
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
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise InputError(
            f"Expected an image in {path} but it cannot be read ({error}); replace or remove it."
        ) from error
