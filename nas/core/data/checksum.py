"""Checksums of images and labels, equal on every machine: they show whether two data sets are the same."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from nas.core.data.dataset import Dataset, Split

MAX_WHOLE_BYTES = 2**30  # of the images of a part; only a sample of a larger part is read
CHUNK_IMAGES = 64  # read at a time
SAMPLE_IMAGES = 1024  # evenly spaced images


def checksums(dataset: Dataset) -> dict[str, str]:
    """SHA-256 of each part that has images, in hexadecimal.

    The names say what was read: `train` for all images and labels; `train_sample` for all labels but only 1,024 images,
    if the images take more than 1 GiB.
    """
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    sums = {}
    for name, part in parts.items():
        if len(part) == 0:
            continue
        if part.images.nbytes <= MAX_WHOLE_BYTES:
            sums[name] = digest(part, np.arange(len(part)) if part.on_disk else None)
        else:
            sums[f"{name}_sample"] = digest(part, np.linspace(0, len(part) - 1, SAMPLE_IMAGES).astype(np.int64))
    return sums


def digest(part: Split, positions: np.ndarray | None = None) -> str:
    """SHA-256 of the shape of the images, the images (at `positions`, by default all) and all labels."""
    sha256 = hashlib.sha256(repr(tuple(part.images.shape)).encode())
    if positions is None:
        sha256.update(part.images.contiguous().cpu().numpy().data)
    else:
        for start in range(0, len(positions), CHUNK_IMAGES):  # all of them may not fit in memory
            read = part.select(torch.from_numpy(positions[start : start + CHUNK_IMAGES]))
            sha256.update(read.images.contiguous().cpu().numpy().data)
    sha256.update(part.labels.contiguous().cpu().numpy().data)
    return sha256.hexdigest()
