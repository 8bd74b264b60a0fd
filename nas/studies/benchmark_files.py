"""Where the files of benchmarks are: the first of several folders that has one counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def benchmark_file(folders: Sequence[Path], name: str) -> Path | None:
    """The file of that name in the first folder that has it, or None."""
    return next((path for folder in folders if (path := folder / name).is_file()), None)
