"""Images that do not fit in memory: read from disk ahead of their use, and checked."""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path

import numpy as np

from nas.core.io.files import DamagedError


class MappedImages:
    """The images of one part in a mapped file: `size` bytes each, starting at `offset`, with their CRC-32 `sums`."""

    def __init__(self, path: Path, pages: mmap.mmap, offset: int, size: int, sums: np.ndarray) -> None:
        self.path = path
        self.pages = pages
        self.offset = offset
        self.size = size
        self.sums = sums
        self.unchecked = np.ones(len(sums), dtype=bool)

    def fetch(self, positions: np.ndarray) -> None:
        """Ask the system to read these images at once, not page by page; check those that are used for the first time.

        Raises `DamagedError`, which names the file, if an image is not what was written.
        """
        starts = self.offset + positions * self.size
        if hasattr(self.pages, "madvise"):
            for start in starts.tolist():
                first = start // mmap.PAGESIZE * mmap.PAGESIZE
                self.pages.madvise(mmap.MADV_WILLNEED, first, start + self.size - first)
        new = self.unchecked[positions]
        with memoryview(self.pages) as view:
            for position, start in zip(positions[new].tolist(), starts[new].tolist()):
                if zlib.crc32(view[start : start + self.size]) != self.sums[position]:
                    raise DamagedError(
                        f"Expected the images kept in {self.path} as they were written but number "
                        f"{start // self.size} is damaged; delete the file, and they are decoded again."
                    )
        self.unchecked[positions] = False
