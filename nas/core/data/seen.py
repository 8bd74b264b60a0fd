"""What decoding changed or left out, and whether the levels of images use the full range; logged at every start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nas.core.data.resize import SQUASH, Resizing
from nas.core.io.records import Record

OBLONG, TURNED, TRANSPARENT = 1, 2, 4  # bits, for one image
LOW_LEVEL = 128  # of 256 levels; photographs reach the highest


@dataclass(frozen=True)
class Seen(Record):
    """Among the `images` inspected, the number with each property; and the largest level of each part."""

    images: int = 0
    oblong: int = 0  # not square
    turned: int = 0  # with an orientation other than upright in their EXIF data
    transparent: int = 0
    levels: tuple[int, ...] = ()  # largest of the training, validation and test part; -1 without images

    @classmethod
    def of(cls, flags: Iterable[int | None]) -> Seen:
        """Count the bits of each image; `None` stands for an image that was not inspected."""
        known = [flag for flag in flags if flag is not None]
        oblong, turned, transparent = (sum(bool(flag & bit) for flag in known) for bit in (OBLONG, TURNED, TRANSPARENT))
        return cls(len(known), oblong, turned, transparent)

    def notes(self, total: int, resizing: Resizing) -> Iterator[str]:
        """What the user should know, in sentences; `total` is the number of all images."""
        of = f"of {total:,} images" if self.images >= total else f"of the {self.images:,} images that were inspected"
        if self.oblong and resizing.size is not None and resizing.how == SQUASH:
            yield (
                f"{self.oblong:,} {of} are not square and were squashed to {resizing.size} x {resizing.size}; "
                "data.resize=crop keeps their proportions and cuts out the middle."
            )
        if self.turned:
            yield (
                f"{self.turned:,} {of} should be turned according to their EXIF data; they are read as they are "
                "stored, as torchvision and timm read them."
            )
        if self.transparent:
            yield f"{self.transparent:,} {of} have transparent pixels; these are read as if they were opaque."
        yield from self._low()

    def _low(self) -> Iterator[str]:
        if not self.levels:
            return
        for name, level in (("training", max(self.levels[:2])), ("test", self.levels[2])):
            if 0 <= level < LOW_LEVEL:
                yield (
                    f"The largest level of the {name} images is {level} of 255: they are nearly black. If levels are "
                    f"stored as 0..{level}, scale them to 0..255 before you save them."
                )


class Levels:
    """The largest level of each part, computed from successive chunks of the images of all parts."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.ends = np.cumsum(counts).tolist()
        self.largest = (-1,) * len(self.ends)
        self.done = 0

    def add(self, chunk: np.ndarray) -> None:
        """Add the next images."""
        largest = []
        for start, end, level in zip([0, *self.ends], self.ends, self.largest):
            own = chunk[max(0, start - self.done) : max(0, end - self.done)]
            largest.append(max(level, int(own.max())) if own.size else level)
        self.largest = tuple(largest)
        self.done += len(chunk)
