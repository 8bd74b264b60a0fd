"""How much memory is left for data on this machine, or in the container in which this process runs."""

from __future__ import annotations

import os
from pathlib import Path

MAX_DATA_SHARE = 0.5  # of the available memory, for the images of a data set


def available(root: Path = Path("/")) -> int:
    """Bytes that can be allocated without swapping, including what the page cache would give back.

    `root` is the folder that contains `proc` and `sys`.
    """
    limits = (_machine(root / "proc/meminfo"), _container(root / "sys/fs/cgroup"))
    return min((limit for limit in limits if limit is not None), default=2**63 - 1)


def fits(size: int) -> bool:
    """Whether `size` bytes may be held in memory; larger data stay on disk."""
    return size <= MAX_DATA_SHARE * available()


def in_words(size: int) -> str:
    """`size` bytes in a unit for people, such as 3.4 MB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"


def _machine(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:  # not Linux
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):  # not Unix
        return None


def _container(folder: Path) -> int | None:
    """What is left below the memory limit of the control group (version 2); pages of files count as free."""
    try:
        limit = (folder / "memory.max").read_text().strip()
        if limit == "max":
            return None
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - int((folder / "memory.current").read_text()) + int(statistics.get("file", 0)))
    except (OSError, ValueError):
        return None
