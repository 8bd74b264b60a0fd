"""A cache of decoded images in the user's cache folder: the next start need not decode 60,000 files again.

The folder is $NAS_CACHE, else $XDG_CACHE_HOME/nas, else ~/.cache/nas; it can be deleted at any time. The name of a
cached file (see `image_store.py`) holds its format and a key: a checksum of what is read, how it is split, and the
source files (their contents or, if they are many or large, their paths, sizes and times: see `Source`). If several
processes want the same file, one writes it and the others wait. A cache that cannot be read or written stops no run
whose data fit in memory: it costs a warning and another decoding. Files of another format are never read or deleted; a
warning names them when a new file is written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from filelock import lock_descriptor

from nas.core.data.formats.base import Source, log
from nas.core.data.image_store import Content, ImageStore, ImageStoreWriter, bytes_needed, open_store
from nas.core.errors import InputError
from nas.core.execution.available_memory import in_words

_FORMAT = 3  # raise it if the meaning of cached files or of the key changes
MAX_NAMED = 20  # files named in one warning
_DAMAGED = (OSError, ValueError, KeyError, TypeError)  # what `open_store` raises for a file that was cut or changed


def folder() -> Path:
    """The cache folder. Raises `OSError` if the system knows no home folder."""
    if own := os.environ.get("NAS_CACHE"):
        return Path(own).expanduser()
    if (shared := os.environ.get("XDG_CACHE_HOME")) and os.path.isabs(shared):
        return Path(shared) / "nas"
    try:
        return Path.home() / ".cache" / "nas"
    except RuntimeError as error:
        raise FileNotFoundError("no home folder is known") from error


def key(
    name: str, size: int | None, validation: Fraction, sources: Sequence[Source], unusual: tuple[Any, ...] = ()
) -> str:
    """SHA-256 of the data set's name, the size of its images, the withheld share or count, and the state of its files.

    `unusual` holds the settings that make images or labels differ from those of versions that did not have these
    settings; if it is empty, files that those versions cached stay valid.
    """
    identity: tuple[Any, ...] = (_FORMAT, name, size, str(validation))
    digest = hashlib.sha256(repr(identity + (unusual and (unusual,))).encode())
    for source in sources:
        digest.update(f"\n{source.state!r}".encode())
    return digest.hexdigest()


def find(name: str, key: str) -> ImageStore | None:
    """The images cached under `key`; `None` if there are none or if they are damaged. Damaged files are deleted."""
    try:
        path = _path(name, key)
        if not path.is_file():
            return None
    except OSError:
        return None
    try:
        return open_store(path)
    except _DAMAGED as error:
        log.warning("The cached data in %s are damaged (%s); reading the originals again.", path, error)
        with suppress(OSError):
            path.unlink()  # the new file needs the room
        return None


def store(name: str, key: str, read: Callable[[], Content]) -> ImageStore:
    """Write what `read` returns and map it, or map what another process has written in the meantime.

    Raises `OSError` if the cache cannot be written, and whatever `read` and the decoding of its images raise.
    """
    path = _path(name, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    checksums = unfinished.with_suffix(".sums")
    with _exclusive(unfinished) as images:
        try:
            stored = find(name, key) or _write(path, images, checksums, read())
        except (OSError, InputError):  # the file is useless now; after an interruption it is continued
            unfinished.unlink(missing_ok=True)
            checksums.unlink(missing_ok=True)
            raise
        unfinished.unlink(missing_ok=True)
        checksums.unlink(missing_ok=True)
        return stored


def _write(path: Path, images: BinaryIO, checksums: Path, content: Content) -> ImageStore:
    size, free = bytes_needed(content.parts), shutil.disk_usage(path.parent).free
    written = os.fstat(images.fileno()).st_size
    if size > free + written:
        raise OSError(errno.ENOSPC, f"{in_words(size)} needed in {path.parent}, {in_words(free + written)} free")
    log.info("Reading %d images; they are kept for the next start.", sum(len(part.order) for part in content.parts))
    with checksums.open("r+b" if checksums.exists() else "w+b") as file:
        ImageStoreWriter(images, file).write(content)
    os.replace(images.name, path)
    name_outdated(path.parent, _FORMAT)
    try:
        return open_store(path)
    except _DAMAGED as error:
        raise OSError(errno.EIO, f"what was written to {path} reads differently: {error}") from error


@contextmanager
def _exclusive(path: Path) -> Iterator[BinaryIO]:
    """`path` open for reading and writing by one process at a time; other processes wait here.

    The operating system releases the lock when the process ends, however it ends.
    """
    while True:
        with open(path, "r+b", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666)) as file:
            if not lock_descriptor(file.fileno(), blocking=False):
                log.info("Waiting for another process that writes %s.", path)
                lock_descriptor(file.fileno())
            try:
                same = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                same = False
            if same:  # otherwise another process has finished the file and removed it
                yield file
                return


def _path(name: str, key: str) -> Path:
    return folder() / "data" / f"{name}-{format_mark(_FORMAT)}{key[:32]}.images"


def format_mark(format: int) -> str:
    """The part of a cached file's name, before the key, that says its format."""
    return f"v{format}-"


def name_outdated(folder: Path, format: int) -> None:
    """Warn about cached files in `folder` with a format other than `format`."""
    current = re.compile(rf"(^|-){format_mark(format)}[0-9a-f]{{32}}\.")
    try:
        entries = sorted(folder.iterdir())
        old = [path for path in entries if not path.name.startswith(".") and not current.search(path.name)]
        size = sum(path.stat().st_size for path in old)
    except OSError:
        return
    if old:
        more = f" and {len(old) - MAX_NAMED} more" if len(old) > MAX_NAMED else ""
        log.warning(
            "These files in %s were written by another version in another format and are not used by this one; "
            "you may delete them (%s): %s%s.",
            folder,
            in_words(size),
            ", ".join(path.name for path in old[:MAX_NAMED]),
            more,
        )
