"""Faults that are put into the process of a command before the command starts."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

import torch

from nas.train.trained_network import TrainedNetwork


def memory(megabytes: float) -> None:
    """Limit the address space to its present size plus `megabytes`; beyond that, allocations fail."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = used + int(megabytes * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def file_size(kilobytes: int) -> None:
    """Limit the size of files, which has the effect of a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, 1024 * kilobytes))


def poison(number: int) -> None:
    """Fill weights of the `number`-th network that is built to be trained or attacked (from 1) with NaN."""
    build = TrainedNetwork.build
    count = 0

    def poisoned(self: TrainedNetwork, *arguments: Any, **settings: Any) -> Any:
        nonlocal count
        network = build(self, *arguments, **settings)
        count += 1
        if count == number:
            with torch.no_grad():
                next(network.parameters()).fill_(float("nan"))
        return network

    TrainedNetwork.build = poisoned  # type: ignore[method-assign]


def cache(folder: str) -> None:
    """Use this folder as the cache of decoded data."""
    os.environ["NAS_CACHE"] = folder


FAULTS: dict[str, Callable[[Any], None]] = {"memory": memory, "file_size": file_size, "poison": poison, "cache": cache}


def inject(faults: dict[str, Any]) -> None:
    """Cause the named faults, with their values, in this process."""
    for name, value in faults.items():
        FAULTS[name](value)
