"""What benchmarks measure with: seconds, peak memory, and the unit of cost, one forward and backward pass (F+B)."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.errors import InputError


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def seconds(action: Callable[..., object], *arguments: object) -> float:
    """Seconds that `action(*arguments)` takes; on a GPU until it has finished."""
    _wait()
    start = perf_counter()
    action(*arguments)
    _wait()
    return perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def forward_backward(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """One training-mode forward and backward of the cross-entropy."""
    functional.cross_entropy(network.train()(images), labels).backward()


def peak_megabytes(prepare: Callable[..., Callable[[], object]], *arguments: object, on_host: bool = False) -> float:
    """Megabytes that `prepare(*arguments)()` adds at its peak, in a fresh process.

    It is memory of the GPU if there is one, unless `on_host`.

    `prepare` must be a module's function; what it allocates itself does not count. Raises InputError if memory cannot
    be measured: without a GPU, the peak of one action can be measured only on Linux.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak, torch.get_num_threads(), prepare, arguments, on_host).result()


def _peak(
    threads: int, prepare: Callable[..., Callable[[], object]], arguments: tuple[Any, ...], on_host: bool
) -> float:
    torch.set_num_threads(threads)
    action = prepare(*arguments)
    if torch.cuda.is_available() and not on_host:
        torch.cuda.reset_peak_memory_stats()
        allocated = torch.cuda.memory_allocated()
        action()
        return (torch.cuda.max_memory_allocated() - allocated) / 2**20
    if not sys.platform.startswith("linux"):
        raise InputError(
            "Expected Linux or a GPU to measure memory on; other systems do not give the peak of one action."
        )
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is resident now
    before = _status("VmRSS")
    action()
    return _status("VmHWM") - before


def resident_megabytes() -> float:
    """Memory that this process holds now for itself alone, without files."""
    return _status("RssAnon")


def available_megabytes() -> float:
    """Memory of the machine that is free for new processes."""
    return _entry("/proc/meminfo", "MemAvailable")


def _status(key: str) -> float:
    """The megabytes that the status of this process gives for `key`."""
    return _entry("/proc/self/status", key)


def _entry(path: str, key: str) -> float:
    """The megabytes that a system file gives for `key`. Raises InputError if the system has no such files."""
    if not sys.platform.startswith("linux"):
        raise InputError("Expected Linux to measure memory on; other systems do not give it.")
    for line in Path(path).read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 2**10
    raise KeyError(key)
