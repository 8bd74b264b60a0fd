"""Accuracies from published benchmarks: NAS-Bench-201 (CSV, or its official files) and NAS-RobBench-201 (CSV)."""

from __future__ import annotations

import re
from pathlib import Path

from nas.core.errors import InputError
from nas.tables.base import ArrayTable
from nas.tables.files import Origin, read_csv
from nas.tables.layouts.column_table import ColumnTable
from nas.tables.official import is_official, read_official

ACCURACIES = Origin(
    "NAS-Bench-201 accuracies (CSV with the columns arch_str and, for example, cifar10_test_acc)",
    "export it from NAS-Bench-201, https://github.com/D-X-Y/NAS-Bench-201, or give NATS-Bench's own folder",
)
ROBBENCH = Origin(
    "NAS-RobBench-201 (CSV with the columns arch_str, val_acc, val_fgsm_3_acc, ...)",
    "export it from NAS-RobBench-201, https://github.com/TT2408/nasrobbench201",
)
_METRIC = re.compile(r"val_(\w+?)_(\d+(?:\.\d+)?)_acc")
_ACCURACY = re.compile(r"(hrs:)?(clean|autoattack|\w+@[\d.]+)")


class RobBenchTable(ArrayTable):
    """Columns `clean`, `fgsm@3`, ..., `autoattack`, which are fractions, and others that the file may have."""

    def is_fraction(self, name: str) -> bool:
        return _ACCURACY.fullmatch(name) is not None


def read_accuracies(path: Path, dataset: str = "cifar10") -> ArrayTable:
    """Accuracies of every string (members of a class differ); several rows of a string are averaged.

    A CSV file has its own columns, of any data set. The folder or file of NATS-Bench and the .pth of NAS-Bench-201,
    read through their own packages, have `DATASET_test_acc` and `DATASET_valid_acc`. Raises InputError for a file that
    is missing or damaged, or without such columns.
    """
    if is_official(path):
        return read_official(path, dataset)
    rows = read_csv(path, ACCURACIES, ("index",))
    if not rows.columns:
        raise ACCURACIES.damaged(path, "no column holds numbers")
    return AccuracyTable(str(path), rows.architectures, rows.columns, mean=True)


class AccuracyTable(ColumnTable):
    """Columns of a file with accuracies of NAS-Bench-201."""

    def remarks(self) -> list[str]:
        lower = [name for name in self.columns if self.direction(name) is False]
        unknown = [name for name in self.columns if self.direction(name) is None]
        return [
            *([f"{self.source}: lower is better for {', '.join(lower)}"] if lower else []),
            *([f"{self.source}: no name says in which direction {', '.join(unknown)} is better"] if unknown else []),
            *self.lacking(),
        ]


def read_robbench(path: Path, dataset: str) -> RobBenchTable:
    """Validation accuracies after adversarial training: `clean`, `fgsm@3`, `pgd@8`, ..., `autoattack`.

    Of columns named `DATASET#METRIC`, those of `dataset` are read. Several rows of a string are averaged. Raises
    InputError for a file that is missing or damaged, or without the data set.
    """
    rows = read_csv(path, ROBBENCH, ("index",))
    columns, others = {}, set()
    for name, values in rows.columns.items():
        owner, _, metric = name.rpartition("#")
        if owner and owner.lower() != dataset.lower():
            others.add(owner)
            continue
        attack = _METRIC.fullmatch(metric)
        if attack is not None:
            metric = f"{attack[1]}@{float(attack[2]):g}"
        columns["clean" if metric == "val_acc" else metric] = values
    if not columns and others:
        raise InputError(
            f"Expected the dataset {dataset!r} in {path} but it has {', '.join(sorted(others))}; {ROBBENCH.where}."
        )
    if "clean" not in columns:
        raise ROBBENCH.damaged(path, "no column is called val_acc")
    return RobBenchTable(str(path), rows.architectures, columns, mean=True)
