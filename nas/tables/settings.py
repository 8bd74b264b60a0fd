"""What a user says about published tables: where they lie, and of which data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nas.core.config import PATH, path_field
from nas.core.errors import InputError
from nas.tables.base import Table
from nas.tables.collection import Collection
from nas.tables.latencies import read_latencies
from nas.tables.published import read_accuracies, read_robbench
from nas.tables.robustness import RobustnessDataset
from nas.tables.scores import read_scores

SCORES = "scores:"  # before the columns of score files


@dataclass
class TableSettings:
    """Paths of the tables to use, of which at least one is needed; by each, what its columns are called."""

    robustness: str | None = path_field()  # the robustness dataset's folder: clean, fgsm@8, ...
    dataset: str = "cifar10"
    accuracy: str | None = path_field()  # NAS-Bench-201 or NATS-Bench: accuracy:cifar10_test_acc
    robbench: str | None = path_field()  # NAS-RobBench-201: robbench:pgd@8, ...
    latency: str | None = path_field()  # HW-NAS-Bench: edgegpu_latency, ...
    scores: list[str] = field(default_factory=list, metadata={PATH: True})  # scores:nwot; of several, scores:FILE:nwot

    def given(self) -> bool:
        """Whether any table is."""
        return any([self.robustness, self.accuracy, self.robbench, self.latency, self.scores])

    def open(self) -> Collection:
        """The tables; `InputError` where none is given, or one is missing or damaged."""
        tables: dict[str, Table] = {}
        if self.robustness is not None:
            tables[""] = RobustnessDataset(Path(self.robustness), self.dataset)
        if self.accuracy is not None:
            tables["accuracy:"] = read_accuracies(Path(self.accuracy), self.dataset)
        if self.robbench is not None:
            tables["robbench:"] = read_robbench(Path(self.robbench), self.dataset)
        for prefix, path in zip(_prefixes(self.scores), self.scores):
            tables[prefix] = read_scores(Path(path), self.dataset)
        latencies = [] if self.latency is None else [read_latencies(Path(self.latency), self.dataset)]
        if not tables and not latencies:
            raise InputError(
                "Expected a table but got none; give the path of robustness, accuracy, robbench, latency or scores."
            )
        return Collection(tables, list(latencies))


def _prefixes(files: Sequence[str]) -> list[str]:
    if len(files) == 1:
        return [SCORES]
    stems = [Path(file).stem for file in files]
    if len(set(stems)) < len(stems):
        name = max(stems, key=stems.count)
        raise InputError(f"Expected score files of different names but got {name!r} more than once; rename one.")
    return [f"{SCORES}{stem}:" for stem in stems]
