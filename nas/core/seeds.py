"""Derive independent seeds from the run's seed, so that no stage's randomness depends on what ran before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *labels: object) -> int:
    """A 63-bit seed from the run's seed and labels (a stage's name, an architecture, an epoch).

    SHA-256 of the parts: the same on every machine and Python version, and unrelated for different labels.
    """
    text = "\x1f".join([str(seed), *map(str, labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block under torch's global generators seeded by `seed`; their state afterwards is as before."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
