"""Keep decoded images in the user's cache folder: the second start need not read 60,000 files, nor hold them in memory.

The folder is $NAS_CACHE, else $XDG_CACHE_HOME/nas, else ~/.cache/nas; it can be deleted at any time. A kept
file (`stored.py`) is named by its format and by a key: what is read, how it is split, and the contents of its sources,
or of many or large ones their paths, sizes and times (`Source`). Of several processes that want it at the same time one
writes it and the others wait. Nothing that goes wrong here stops a run whose data fit in memory: it costs a warning and
a second reading. Files of another format are not read; they are named when a new one is written, and left alone.
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
from nas.core.data.image_store import ImageStore, ImageStoreWriter, Part, needed, opened
from nas.core.data.seen import Seen
from nas.core.errors import InputError
from nas.core.execution.available_memory import in_words

_FORMAT = 3  # raise it when what is kept changes its meaning, or the key
MOST_NAMED = 20  # files in one warning
_DAMAGED = (OSError, ValueError, KeyError, TypeError)  # what `opened` raises for a file that is cut short or changed


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


def key(
    name: str, size: int | None, validation: Fraction, sources: Sequence[Source], unusual: tuple[Any, ...] = ()
) -> str:
    """SHA-256 over the data set, the size of its images, the withheld share or count and the state of all its files.

    `unusual` is what else changes images or labels, where it is not as in versions that had no choice: what those kept
    stays valid.
    """
    about: tuple[Any, ...] = (_FORMAT, name, size, str(validation))
    digest = hashlib.sha256(repr(about + (unusual and (unusual,))).encode())
    for source in sources:
        digest.update(f"\n{source.state!r}".encode())
    return digest.hexdigest()


def recall(name: str, key: str) -> ImageStore | None:
    """The images kept under `key`, or None where there are none or they are damaged; those are removed."""
    try:
        path = _path(name, key)
        if not path.is_file():
            return None
    except OSError:
        return None
    try:
        return opened(path)
    except _DAMAGED as error:
        log.warning("The cached data in %s are damaged (%s); reading the originals again.", path, error)
        with suppress(OSError):
            path.unlink()  # the new ones need the room
        return None


def kept(
    name: str,
    key: str,
    parts: Callable[[], Sequence[Part]],
    num_classes: Callable[[], int],
    seen: Callable[[], Seen] = Seen,
) -> ImageStore:
    """Write the images of `parts` and map them, or map what another process wrote meanwhile.

    `seen` is asked after the images were decoded.

    Raises `OSError` where the cache cannot be written; what `parts` and its images raise goes through.
    """
    path = _path(name, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with _alone(unfinished) as images:
        sums = unfinished.with_suffix(".sums")
        try:
            found = recall(name, key)
            if found is None:
                found = _written(path, unfinished, images, sums, parts(), num_classes(), seen)
        except (OSError, InputError):  # no use to anyone; what was interrupted is continued
            unfinished.unlink(missing_ok=True)
            sums.unlink(missing_ok=True)
            raise
        unfinished.unlink(missing_ok=True)
        sums.unlink(missing_ok=True)
        return found


def _written(
    path: Path,
    unfinished: Path,
    images: BinaryIO,
    sums: Path,
    parts: Sequence[Part],
    num_classes: int,
    seen: Callable[[], Seen],
) -> ImageStore:
    size, free = needed(parts), shutil.disk_usage(path.parent).free
    there = os.fstat(images.fileno()).st_size
    if size > free + there:
        raise OSError(errno.ENOSPC, f"{in_words(size)} needed in {path.parent}, {in_words(free + there)} free")
    log.info("Reading %d images; they are kept for the next start.", sum(len(part.order) for part in parts))
    with sums.open("r+b" if sums.exists() else "w+b") as file:
        ImageStoreWriter(images, file).write(parts, num_classes, seen)
    os.replace(unfinished, path)
    name_outdated(path.parent, _FORMAT)
    try:
        return opened(path)
    except _DAMAGED as error:
        raise OSError(errno.EIO, f"what was written to {path} reads differently: {error}") from error


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """`path` open for reading and writing, by one process at a time; the others wait here.

    The system lets go of it when a process ends, however it ends.
    """
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
            if not lock_descriptor(file.fileno(), blocking=False):
                log.info("Waiting for another process that writes %s.", path)
                lock_descriptor(file.fileno())
            try:
                mine = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                mine = False
            if mine:  # else another process finished and removed it
                yield file
                return


def _path(name: str, key: str) -> Path:
    return folder() / "data" / f"{name}-{mark(_FORMAT)}{key[:32]}.images"


def mark(format: int) -> str:
    """What stands in the names of kept files of a format, before the key."""
    return f"v{format}-"


def name_outdated(folder: Path, format: int) -> None:
    """Warn of kept files in `folder` that are of another format than `format`, if there are any."""
    current = re.compile(rf"(^|-){mark(format)}[0-9a-f]{{32}}\.")
    try:
        entries = sorted(folder.iterdir())
        old = [path for path in entries if not path.name.startswith(".") and not current.search(path.name)]
        size = sum(path.stat().st_size for path in old)
    except OSError:
        return
    if old:
        more = f" and {len(old) - MOST_NAMED} more" if len(old) > MOST_NAMED else ""
        log.warning(
            "Of the files in %s, these were kept by another version in another format and are not used by this one; "
            "you may delete them (%s): %s%s.",
            folder,
            in_words(size),
            ", ".join(path.name for path in old[:MOST_NAMED]),
            more,
        )
