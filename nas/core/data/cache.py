"""Keep decoded arrays in the user's cache folder, so that the second start need not read 60,000 files.

The folder is $NAS_CACHE, else $XDG_CACHE_HOME/nas, else ~/.cache/nas; it can be deleted at any time. A kept
file is named by its sources' paths, sizes and modification times; it is an ordinary `.npz`; its checksums
tell when it is damaged. Nothing that goes wrong here stops a run: it costs a warning and a second reading.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.data.loader import Raw, Source, log
from nas.core.errors import InputError
from nas.core.files import write_atomic

_FORMAT = 1  # raise it when what is kept changes its meaning
# What numpy and zipfile raise for a file that is cut short or has changed bytes.
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def folder() -> Path:
    """The cache folder; `OSError` where the system knows no home folder."""
    if own := os.environ.get("NAS_CACHE"):
        return Path(own).expanduser()
    if (shared := os.environ.get("XDG_CACHE_HOME")) and os.path.isabs(shared):
        return Path(shared) / "nas"
    try:
        return Path.home() / ".cache" / "nas"
    except RuntimeError as error:
        raise FileNotFoundError("no home folder is known") from error


def key(name: str, size: int | None, sources: Sequence[Source]) -> str:
    """SHA-256 over the data set, the size of its images and the state of all its files."""
    digest = hashlib.sha256(repr((_FORMAT, name, size)).encode())
    for source in sources:
        digest.update(f"\n{source.path!r} {source.size} {source.modified}".encode())
    return digest.hexdigest()


def recall(name: str, key: str) -> Raw | None:
    """The arrays kept under `key`, or None where there are none or they are damaged."""
    try:
        path = _path(name, key)
        if not path.is_file():
            return None
    except OSError:
        return None
    try:
        return _unpack(path)
    except _DAMAGED as error:
        log.warning("The cached data in %s are damaged (%s); reading the originals again.", path, error)
        return None


def keep(name: str, key: str, raw: Raw) -> None:
    """Write the arrays; a cache that cannot be written is a warning."""
    parts: dict[str, Any] = {
        "images": raw.images,
        "labels": raw.labels,
        "num_classes": np.array(raw.num_classes),
        "classes": np.array(raw.classes, dtype=np.str_),
    }
    if raw.test_images is not None and raw.test_labels is not None:
        parts |= {"test_images": raw.test_images, "test_labels": raw.test_labels}
    try:
        write_atomic(_path(name, key), lambda file: np.savez(file, **parts))
    except (InputError, OSError) as error:
        reason = (error.__cause__ or error) if isinstance(error, InputError) else error
        log.warning(
            "The decoded data could not be cached (%s); the next start reads the originals again. "
            "Set NAS_CACHE to a folder with room to avoid that.",
            reason,
        )


def _path(name: str, key: str) -> Path:
    return folder() / "data" / f"{name}-{key[:32]}.npz"


def _unpack(path: Path) -> Raw:
    """Read a kept file; `ValueError` where its arrays do not fit together."""
    with np.load(path, allow_pickle=False) as file:
        part = {name: file[name] for name in file.files}
    raw = Raw(
        images=part["images"],
        labels=part["labels"],
        num_classes=int(part["num_classes"]),
        test_images=part.get("test_images"),
        test_labels=part.get("test_labels"),
        classes=tuple(part["classes"].tolist()),
    )
    for images, labels in ((raw.images, raw.labels), (raw.test_images, raw.test_labels)):
        if (images is None) != (labels is None):
            raise ValueError("a part is missing")
        if images is not None and labels is not None:
            fits = images.dtype == np.uint8 and images.ndim == 4 and images.shape[1] == 3
            if not fits or labels.dtype != np.int64 or labels.shape != (len(images),):
                raise ValueError("the arrays have other shapes than were kept")
    return raw
