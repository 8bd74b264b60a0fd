"""Handwritten digits: 1,797 grey images of 8 x 8 pixels that come with scikit-learn; no download."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import numpy as np

from nas.core.data.formats.base import Loader, Raw, Source

CLASSES = 10
SIDE = 16  # pixels; a NAS-Bench-201 network would reduce 8 x 8 to 2 x 2


class Digits(Loader):
    name = "digits"
    references = ("alpaydin1998digits",)
    reads: ClassVar[frozenset[str] | None] = frozenset()
    doc = "1,797 handwritten digits, 10 classes, embedded; 16 x 16 unless data.size says otherwise"
    cached = False
    default_size = SIDE

    @property
    def shape(self) -> tuple[int, int] | None:
        return CLASSES, self.size or SIDE

    def sources(self) -> list[Source]:
        return []

    def read(self) -> Raw:
        grey, labels = _parsed()
        return Raw(np.repeat(grey[:, None], 3, axis=1), labels.copy(), CLASSES)


@cache
def _parsed() -> tuple[np.ndarray, np.ndarray]:
    """Grey images (N, 8, 8) from 0 to 255, and their labels. Cached: scikit-learn parses a text file at every call."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return np.rint(data.images * (255 / 16)).astype(np.uint8), data.target.astype(np.int64)
