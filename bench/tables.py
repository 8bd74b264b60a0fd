"""How fast published tables are read and looked up: `nas bench tables --robustness DIR`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import ClassVar

from nas.bench.base import Bench, Limit
from nas.bench.measuring.timing import peak_megabytes, seconds
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.search_spaces import NASBench201
from nas.tables import Collection, RobustnessDataset

ROUNDS = 5  # readings, in turn with `json.loads` as their floor; the medians count
LOOKED_UP = ("clean", "fgsm@8")


class TablesBench(Bench):
    """Time and memory to read all columns of the robustness dataset, and lookups per second.

    The floor of the time is `json.loads` of the same files. Every string of NAS-Bench-201 is looked up twice; the
    second time, the answers are cached.
    """

    name: ClassVar[str] = "tables"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("seconds", at_most=1),
        Limit("megabytes", at_most=200),
        Limit("ratio", at_most=2.5),
        Limit("lookups_per_second", at_least=100_000),
    )
    folder: Path | None = None  # of the robustness dataset
    dataset: str = "cifar10"

    def run(self, report: Callable[[str], None]) -> Json:
        """As in `Bench`. Raises InputError if no folder is set."""
        if self.folder is None:
            raise InputError("Expected the robustness dataset's folder but got none; give --robustness DIR.")
        table = everything(self.folder, self.dataset)  # the files are in the system's cache from here on
        files = [self.folder / "meta.json", *sorted(Path(table.source).glob("*_accuracy.json"))]
        times = [(seconds(everything, self.folder, self.dataset), seconds(parse, files)) for _ in range(ROUNDS)]
        read, floor = (median(column) for column in zip(*times))
        report(f"all columns of {self.dataset}, {len(files)} files: {read:.3f} s; json.loads of them: {floor:.3f} s")
        megabytes = peak_megabytes(reading, self.folder, self.dataset, on_host=True)
        report(f"peak memory: {megabytes:.0f} MB")
        first, again = lookups(table)
        report(f"lookups per second: {first:.0f} the first time, {again:.0f} again")
        return {
            "seconds": round(read, 3),
            "ratio": round(read / floor, 3),
            "megabytes": round(megabytes, 1),
            "first_lookups_per_second": round(first),
            "lookups_per_second": round(again),
            "columns": len(table.names()),
        }


def everything(folder: Path, dataset: str) -> RobustnessDataset:
    """The table with all its columns read."""
    table = RobustnessDataset(folder, dataset)
    for name in table.names():
        table.levels(name)
    return table


def reading(folder: Path, dataset: str) -> Callable[[], object]:
    return lambda: everything(folder, dataset)


def parse(files: list[Path]) -> None:
    for path in files:
        json.loads(path.read_text())


def lookups(table: RobustnessDataset) -> tuple[float, float]:
    """Strings per second, looked up in two columns: for the first time, and again."""
    strings = [str(arch) for arch in NASBench201()]
    tables = Collection({"": table})
    columns = [name for name in LOOKED_UP if name in table.names()] or table.names()[:1]

    def ask() -> None:
        for text in strings:
            tables.metrics(text, columns)

    return len(strings) / seconds(ask), len(strings) / seconds(ask)
