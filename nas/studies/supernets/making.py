"""Makes the searches of the study that are missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from nas.core.data import Dataset, Split, load
from nas.core.data.settings import DataSettings
from nas.core.data.splits import HALF, take
from nas.studies.supernets.runs import Rows, compute


def make(rows: Rows, images: Path, strategies: Sequence[str], hours: float, report: Callable[[str], None]) -> None:
    """On one thread, in the order of the plan; only the `strategies` if there are any. None is begun after `hours`."""
    torch.set_num_threads(1)
    data = load(DataSettings(name="npz", root=str(images), validation=0.1))
    data = half_of(data) if rows.plan.half else data
    until = time.monotonic() + 3600 * hours
    for one in rows.plan.planned():
        if time.monotonic() > until:
            return
        if not rows.has(one) and (not strategies or one.variant.name in strategies):
            compute(one, rows, data, report)


def half_of(data: Dataset) -> Dataset:
    """The data with half of the training images of each class, always the same."""
    part, _ = take(data.train.labels.cpu().numpy(), data.num_classes, HALF, "screening")
    return replace(data, train=Split(data.train.images[part], data.train.labels[part]))
