"""Whether two data sets are the same, told from their images and labels: equal on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from nas.core.data.dataset import Dataset, Split

WHOLE = 2**30  # bytes of images; of larger parts a sample is read
CHUNK = 64  # images read at once
SAMPLE = 1024  # images of it, evenly spaced


def checksums(dataset: Dataset) -> dict[str, str]:
    """SHA-256 of each part that has images, in hexadecimal.

    The names say what was read: `train`, or `train_sample` where the images are more than 1 GiB: of those, all labels
    and 1,024 images.
    """
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    found = {}
    for name, part in parts.items():
        if len(part) == 0:
            continue
        if part.images.numel() <= WHOLE:
            found[name] = digest(part, np.arange(len(part)) if part.on_disk else None)
        else:
            found[f"{name}_sample"] = digest(part, np.linspace(0, len(part) - 1, SAMPLE).astype(np.int64))
    return found


def digest(part: Split, positions: np.ndarray | None = None) -> str:
    """SHA-256 of the images' shape, the images (those at `positions`; by default all) and all labels."""
    found = hashlib.sha256(repr(tuple(part.images.shape)).encode())
    if positions is None:
        found.update(part.images.contiguous().cpu().numpy().data)
    else:
        for start in range(0, len(positions), CHUNK):  # they may not all fit in memory
            read = part.picked(torch.from_numpy(positions[start : start + CHUNK]))
            found.update(read.images.contiguous().cpu().numpy().data)
    found.update(part.labels.contiguous().cpu().numpy().data)
    return found.hexdigest()
