"""Independent seeds derived from the run's seed: the randomness of a stage does not depend on what ran before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *labels: object) -> int:
    """A 63-bit seed derived from the run's seed and labels (the name of a stage, an architecture, an epoch).

    It comes from the SHA-256 of both: the same on every machine and Python version, unrelated for different labels.
    """
    text = "\x1f".join([str(seed), *map(str, labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators with `seed` during a block; their previous state is restored afterwards."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
