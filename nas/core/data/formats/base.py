"""What a data set must be able to do: name its files and read them into arrays."""

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

LARGEST_HASHED = 2**31  # bytes of a file whose content is read at every start: at most some seconds

Triple = tuple[float, float, float]


class Source(NamedTuple):
    """A file the arrays are read from, and what changes when the file does.

    A program can set the time of modification, so that a corrected file has the size and time of the wrong one. It
    cannot set the time of the last change, nor the checksum of the content.
    """

    path: str
    size: int
    modified: int  # nanoseconds
    changed: int = 0  # nanoseconds; of the content or of what the system notes about the file
    sha256: str = ""  # of the content, where that was read

    @classmethod
    def of(cls, path: Path) -> Source:
        """A single file with the checksum of its content, unless it is too large to be read at every start.

        `InputError` where it cannot be read.
        """
        try:
            found = cls.listed(str(path.absolute()), path.stat())
            return found if found.size > LARGEST_HASHED else found._replace(sha256=sha256_of(path))
        except OSError as error:
            raise InputError(f"Expected to read {path} but: {error.strerror or error}.") from error

    @classmethod
    def listed(cls, path: str, status: os.stat_result) -> Source:
        """One of many files, whose contents would take too long to read at every start."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @property
    def state(self) -> tuple[str | int, ...]:
        """Equal for the same file as it is: its content where that was read, else its place, size and times."""
        return (self.sha256,) if self.sha256 else (self.path, self.size, self.modified, self.changed)


class Pictures(Protocol):
    """Images, uint8 (N, 3, H, W): an array, or what makes those asked for when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Those at the positions `index`, in that order; `InputError` where one cannot be read."""


@dataclass(frozen=True)
class Raw:
    """Images uint8 (N, 3, H, W) and labels int64 (N,) from 0; there may be no test part.

    With `data.test=all` the images are all for testing.
    """

    images: Pictures
    labels: np.ndarray
    num_classes: int
    test_images: Pictures | None = None
    test_labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()


class Loader(ABC):
    """One data set. A subclass with a `name`, in a module of this package, is all it takes to add one.

    `load` makes an instance per call and asks `sources` first. Where it names files and `cached` is true,
    images kept from an earlier call with the same files are used and `read` is not called. Both raise
    `InputError` for what the user can mend. Data that may be larger than memory are read as `Pictures` that decode
    what is asked for. `mean` and `std` are given where the field agrees on constants.
    """

    name: ClassVar[str]
    doc: ClassVar[str]
    needs_root: ClassVar[bool] = False
    cached: ClassVar[bool] = True
    reads: ClassVar[frozenset[str] | None] = None  # of root, download, order; None, or not stated anew: all
    default_size: ClassVar[int | None] = None
    default_root: ClassVar[str | None] = None  # where it lies, or is downloaded to, if the user does not say
    mean: ClassVar[Triple | None] = None
    std: ClassVar[Triple | None] = None

    def __init__(self, settings: DataSettings) -> None:
        self.settings = settings
        self.notes: list[str] = []  # what the user should know of the files, in sentences; told once they are read

    @property
    def size(self) -> int | None:
        """The size asked for, or this data set's own."""
        return self.default_size if self.settings.size is None else self.settings.size

    @property
    def resizing(self) -> Resizing:
        """How the settings want images to be brought to the size."""
        settings = self.settings
        return Resizing(self.size, settings.resize, settings.crop_share, settings.interpolation)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the order of their labels, where the files tell them; asked after `sources`."""
        return ()

    @property
    def shape(self) -> tuple[int, int] | None:
        """Number of classes and image size in pixels, where they are known without opening a file."""
        return None

    @property
    def root(self) -> Path:
        """Where the user says the data lie; `InputError` where nothing is said or there."""
        if self.settings.root is None:
            raise InputError(f"Expected data.root for the data set {self.name!r} but got none; set data.root=PATH.")
        path = Path(os.path.expanduser(self.settings.root))
        if not path.exists():
            raise InputError(f"Expected the data set {self.name!r} at {path} but nothing is there; set data.root=PATH.")
        return path

    def glance(self) -> Seen:
        """What a look at some of the files tells of the images, where what decoding them told was not kept."""
        return Seen()

    @abstractmethod
    def sources(self) -> list[Source]:
        """The files that `read` will read, fetched first where the loader can; empty for embedded data."""

    @abstractmethod
    def read(self) -> Raw:
        """Images and labels in a fixed order; called after `sources`."""
