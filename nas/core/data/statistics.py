"""Mean and standard deviation of each channel, exactly, without a float copy of the data."""

from __future__ import annotations

import numpy as np
import torch

from nas.core.data.loader import Triple

SMALLEST_STD = 1e-3  # a constant channel must not divide by zero
_CHUNK = 250  # images at a time: what fits the processor's cache


def channel_statistics(images: torch.Tensor) -> tuple[Triple, Triple]:
    """Per-channel mean and std of uint8 (N, 3, H, W) scaled to [0, 1].

    From the histogram of the 256 values, in whole numbers: fast, and no rounding adds up.
    """
    pixels = images.numpy()  # one thread: torch's threads wait for each other in steps as small as these
    histogram = np.zeros((3, 256), dtype=np.int64)
    for start in range(0, len(pixels), _CHUNK):
        for channel in range(3):
            histogram[channel] += np.bincount(pixels[start : start + _CHUNK, channel].ravel(), minlength=256)
    count = images.numel() // 3
    means, stds = [], []
    for counts in histogram.tolist():
        total = sum(value * n for value, n in enumerate(counts))
        squares = sum(value * value * n for value, n in enumerate(counts))
        means.append(total / count / 255)
        stds.append(max((count * squares - total * total) ** 0.5 / count / 255, SMALLEST_STD))
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])
