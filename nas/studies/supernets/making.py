"""Makes the searches of the study that are missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nas.core.data import load
from nas.core.data.settings import DataSettings
from nas.studies.supernets.plan import planned
from nas.studies.supernets.runs import Rows, compute


def make(rows: Rows, images: Path, strategies: Sequence[str], hours: float, report: Callable[[str], None]) -> None:
    """On one thread, in the order of the plan; only the `strategies` if there are any. None is begun after `hours`."""
    torch.set_num_threads(1)
    data = load(DataSettings(name="npz", root=str(images), validation=0.1))
    until = time.monotonic() + 3600 * hours
    for one in planned():
        if time.monotonic() > until:
            return
        if not rows.has(one) and (not strategies or one.variant.strategy in strategies):
            compute(one, rows, data, report)
