"""A cache of the numbers of official archives, which take minutes to read: small `.npz` files in the cache folder.

The folder is that of `nas.core.data.cache`. CSV and JSON files are read in less than a second and are not cached.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError

import numpy as np

from nas.core.data import cache
from nas.core.data.formats.base import Source, log
from nas.core.errors import InputError
from nas.core.io.files import write_atomic
from nas.tables.files import Rows

_FORMAT = 2  # raise it if the content of cached files or the key changes its meaning
_DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, SyntaxError, OverflowError, MemoryError),
    *(TokenError, zipfile.BadZipFile, zlib.error),
)


def cached(path: Path, what: str, read: Callable[[], Rows]) -> Rows:
    """The result of `read()`, from the cache if the file, or each file of the folder, has the cached `Source.state`."""
    try:
        place = cache.folder() / "tables" / f"{cache.format_mark(_FORMAT)}{_key(path, what)}.npz"
    except (InputError, OSError):
        return read()
    if place.is_file():
        try:
            with np.load(place, allow_pickle=False) as file:
                names = [str(name) for name in file["names"]]
                return Rows([str(text) for text in file["architectures"]], dict(zip(names, file["values"])))
        except _DAMAGED as error:
            log.warning("The cached table in %s is damaged (%s); reading %s again.", place, error, path)
    rows = read()
    archs, columns = (np.array(list(texts), dtype=np.str_) for texts in (rows.architectures, rows.columns))
    values = np.array(list(rows.columns.values()))
    try:
        write_atomic(place, lambda file: np.savez_compressed(file, architectures=archs, names=columns, values=values))
        cache.name_outdated(place.parent, _FORMAT)
    except (InputError, OSError) as error:
        log.warning("The numbers of %s could not be cached (%s); set NAS_CACHE to a folder with room.", path, error)
    return rows


def _key(path: Path, what: str) -> str:
    """SHA-256 of `what`, which says what is read, and of the state of the file, or of all files of the folder."""
    digest = hashlib.sha256(repr((_FORMAT, what)).encode())
    path = path.resolve()
    files = sorted(Source.listed(e.path, e.stat()) for e in os.scandir(path)) if path.is_dir() else [Source.of(path)]
    for source in files:
        digest.update(f"\n{source.state!r}".encode())
    return digest.hexdigest()[:32]
