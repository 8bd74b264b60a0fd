"""Official files of benchmarks that are not read here: what to export from them instead."""

from __future__ import annotations

from pathlib import Path

from nas.core.errors import InputError
from nas.tables.files import Origin

CLOSED = (".tfrecord", ".pth", ".pt", ".pickle", ".pkl", ".pbz2")
_EXPORT = {
    "nasbench101": (
        "with the package nasbench, write one row of fixed_statistics['module_adjacency'] and "
        "['module_operations'] for each hash: the columns upper_triangle (row by row), operations (the inner ones, "
        "separated by spaces), val_108 and so on"
    ),
    "transnas": (
        "with TransNASBenchAPI, write one row for each of api.all_arch_dict: the columns arch and val, which is "
        "api.get_single_metric(arch, TASK, METRIC, mode='final')"
    ),
    "": "write the columns arch and, for each quantity, one of numbers, with the benchmark's own package",
}


def check_readable(path: Path, space: str, origin: Origin) -> None:
    """Raises InputError for a file or folder that only a benchmark's own package can read, and says what to export."""
    if path.is_dir() or path.suffix.lower() in CLOSED:
        kind = "a folder" if path.is_dir() else f"a {path.suffix.lower()} file"
        advice = next(text for name, text in _EXPORT.items() if space.startswith(name))
        raise InputError(f"Expected {origin.what} as CSV or JSON but {path} is {kind}; {advice}.")
