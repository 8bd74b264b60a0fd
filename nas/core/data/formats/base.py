"""The interface of a data set: it names its files and reads them into arrays."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from nas.core.data.resize import Resizing
from nas.core.data.seen import Seen
from nas.core.data.settings import DataSettings
from nas.core.errors import InputError
from nas.core.execution.worker_pool import DATA_NOTES
from nas.core.io.files import sha256_of

log = logging.getLogger("nas")
notes_log = logging.getLogger(DATA_NOTES)

MAX_HASHED_BYTES = 2**31  # a file of at most this size is read at every start, which takes some seconds

Triple = tuple[float, float, float]


class Source(NamedTuple):
    """A file from which arrays are read, with properties that change whenever the file does.

    Programs can set the time of modification, so that a corrected file may have the size and the time of the wrong
    one. They cannot set the time of the last change, nor the checksum of the content.
    """

    path: str
    size: int
    modified: int  # nanoseconds
    changed: int = 0  # nanoseconds; last change of the content or of the file's metadata
    sha256: str = ""  # of the content, if it was read

    @classmethod
    def of(cls, path: Path) -> Source:
        """A single file with the checksum of its content, unless it is too large to be read at every start.

        Raises `InputError` if it cannot be read.
        """
        try:
            source = cls.listed(str(path.absolute()), path.stat())
            return source if source.size > MAX_HASHED_BYTES else source._replace(sha256=sha256_of(path))
        except OSError as error:
            raise InputError(f"Expected to read {path} but: {error.strerror or error}.") from error

    @classmethod
    def listed(cls, path: str, status: os.stat_result) -> Source:
        """One of many files, which would take too long to read at every start."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def state(self) -> tuple[str | int, ...]:
        """Equal as long as the file is unchanged: its checksum if it has one, otherwise path, size and times."""
        return (self.sha256,) if self.sha256 else (self.path, self.size, self.modified, self.changed)


class Pictures(Protocol):
    """Images, uint8 (N, 3, H, W): an array, or an object that decodes images when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at the positions `index`, in that order. Raises `InputError` if one cannot be read."""


@dataclass(frozen=True)
class Raw:
    """Images uint8 (N, 3, H, W) and labels int64 (N,) from 0; the test part is optional.

    With `data.test=all`, all of `images` are test images.
    """

    images: Pictures
    labels: np.ndarray
    num_classes: int
    test_images: Pictures | None = None
    test_labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()


class Loader(ABC):
    """One data set. To add one, write a subclass with a `name` in a module of this package.

    Each call of `load` makes an instance and calls `sources` first. If that names files and `cached` is true, images
    cached by an earlier call with the same files are used, and `read` is not called. Both methods raise `InputError`
    for errors that the user can correct. Data that may exceed memory are read as `Pictures` that decode on demand.
    `mean` and `std` are set if the field has agreed on constants.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    doc: ClassVar[str]
    needs_root: ClassVar[bool] = False
    cached: ClassVar[bool] = True
    reads: ClassVar[frozenset[str] | None] = None  # the keys it reads of root, download, order; None or inherited: all
    default_size: ClassVar[int | None] = None
    default_root: ClassVar[str | None] = None  # where the files are, or are downloaded to, by default
    mean: ClassVar[Triple | None] = None
    std: ClassVar[Triple | None] = None

    def __init__(self, settings: DataSettings) -> None:
        self.settings = settings
        self.notes: list[str] = []  # sentences for the user about the files, logged after reading

    @property
    def size(self) -> int | None:
        """The size in the settings or, without one, the default of the data set."""
        return self.default_size if self.settings.size is None else self.settings.size

    @property
    def resizing(self) -> Resizing:
        """How images are resized according to the settings."""
        settings = self.settings
        return Resizing(self.size, settings.resize, settings.crop_share, settings.interpolation)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order of their labels, if the files name them; call it after `sources`."""
        return ()

    @property
    def shape(self) -> tuple[int, int] | None:
        """Number of classes and image size in pixels, if they are known without opening a file."""
        return None

    @property
    def root(self) -> Path:
        """The path that the user gave. Raises `InputError` if there is none, or nothing at that path."""
        if self.settings.root is None:
            raise InputError(f"Expected data.root for the data set {self.name!r} but got none; set data.root=PATH.")
        path = Path(os.path.expanduser(self.settings.root))
        if not path.exists():
            raise InputError(f"Expected the data set {self.name!r} at {path} but nothing is there; set data.root=PATH.")
        return path

    def glance(self) -> Seen:
        """What a look at some of the files shows, for cached images without a stored `Seen`."""
        return Seen()

    @abstractmethod
    def sources(self) -> list[Source]:
        """The files that `read` will read, downloaded first if that is possible; empty for embedded data."""

    @abstractmethod
    def read(self) -> Raw:
        """Images and labels in a fixed order; called after `sources`."""
