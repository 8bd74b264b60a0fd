"""The exact mean and standard deviation of each channel, without a copy of the data in floats."""

from __future__ import annotations

import numpy as np

from nas.core.data.formats.base import Triple

SMALLEST_STD = 1e-3  # so that normalising a constant channel does not divide by zero
_CHUNK_BYTES = 786_432  # counted at a time: as many as fit into the processor's cache


class Histogram:
    """Counts how often each of the 256 values occurs in each channel of images, uint8 (N, 3, H, W).

    Counting whole numbers is fast, and no rounding errors add up.
    """

    def __init__(self) -> None:
        self.counts = np.zeros((3, 256), dtype=np.int64)

    def add(self, images: np.ndarray) -> None:
        step = max(1, _CHUNK_BYTES // max(1, images[0].size)) if len(images) else 1
        for start in range(0, len(images), step):
            for channel in range(3):
                # numpy, because the threads of torch would only wait for each other
                values = images[start : start + step, channel].ravel()
                self.counts[channel] += np.bincount(values, minlength=256)

    def statistics(self) -> tuple[Triple, Triple]:
        """Per-channel mean and std of the values scaled to [0, 1]."""
        means, stds = [], []
        for counts in self.counts.tolist():
            count = sum(counts)
            total = sum(value * n for value, n in enumerate(counts))
            squares = sum(value * value * n for value, n in enumerate(counts))
            means.append(total / count / 255)
            stds.append(max((count * squares - total * total) ** 0.5 / count / 255, SMALLEST_STD))
        return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def channel_statistics(images: np.ndarray) -> tuple[Triple, Triple]:
    """Per-channel mean and std of uint8 (N, 3, H, W) scaled to [0, 1]."""
    histogram = Histogram()
    histogram.add(images)
    return histogram.statistics()
