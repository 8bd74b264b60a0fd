"""The tables that a user gives: opened together, their columns told apart by a prefix."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nas.core.config import PATH, path_field
from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces import SPACES, NASBench201, SearchSpace
from nas.tables.base import Table, in_short, undirected
from nas.tables.latencies import read_latencies
from nas.tables.layouts import read_columns
from nas.tables.published import read_accuracies, read_robbench
from nas.tables.robustness import RobustnessDataset
from nas.tables.scores import read_scores

ONLY_NASBENCH201 = ("robustness", "robbench", "latency")  # tables of no other space
SCORES = "scores:"  # before the columns of score files
ACCURACY = "accuracy:"  # before those of the table of accuracies

DEFAULTS = (
    *("clean", "fgsm@1", "fgsm@2", "fgsm@4", "fgsm@8", "pgd@1", "apgd@1", "square@1"),
    *("corruptions", "weather", "noise", "blur", "digital"),
)


class HasCollection(Protocol):
    """What `nas.open_tables` returns."""

    @property
    def collection(self) -> Collection: ...


@dataclass
class Collection:
    """Tables by the prefix of their columns; those of the robustness dataset have none.

    `unprefixed` are tables of latencies: their columns need no prefix, because no other table has such names.
    """

    tables: dict[str, Table]
    unprefixed: list[Table] = field(default_factory=list)
    space: SearchSpace[Any] = field(default_factory=NASBench201)
    labels: list[str] = field(init=False, default_factory=list)  # all columns that the tables list
    default_columns: list[str] = field(init=False, default_factory=list)  # the columns shown by default

    def __post_init__(self) -> None:
        for prefix, table in self.tables.items():
            names = table.names()
            self.labels += [prefix + name for name in names]
            defaults = names if prefix else [name for name in DEFAULTS if name in names]
            self.default_columns += [prefix + name for name in defaults]
            if prefix and {"clean", "fgsm@8", "pgd@8"} <= set(names):
                self.default_columns += [f"{prefix}hrs:fgsm@8", f"{prefix}hrs:pgd@8"]
        for table in self.unprefixed:
            self.labels += table.names()
            self.default_columns += table.names()
        self._columns: dict[str, tuple[Table, np.ndarray]] = {}
        self._metrics: dict[tuple[str, ...], dict[str, dict[str, float]]] = {}

    @property
    def collection(self) -> Collection:
        """Itself: a study takes these tables as well as what `nas.open_tables` returns."""
        return self

    def chosen(self, columns: Sequence[str]) -> list[str]:
        """The columns that are asked for (`all`, names, patterns such as fgsm@*), each once; else the default ones.

        Raises InputError if no column matches a pattern.
        """
        names: list[str] = [] if columns else list(self.default_columns)
        for column in columns:
            if column == "all":
                names += self.labels
            elif any(sign in column for sign in "*?["):
                matching = fnmatch.filter(self.labels, column)
                if not matching:
                    raise InputError(f"Expected columns like {column!r} but there are only {in_short(self.labels)}.")
                names += matching
            else:
                names.append(column)
        return list(dict.fromkeys(names))

    def levels(self, column: str) -> tuple[Table, np.ndarray]:
        """The table of a column, and the column's values in it: (rows, levels)."""
        table, name = self._owner(column)
        return table, table.levels(name)

    def column(self, name: str) -> tuple[Table, np.ndarray]:
        """The table of a column, and the column's means over levels in it: (rows,)."""
        if name not in self._columns:
            table, own = self._owner(name)
            self._columns[name] = table, table.column(own)
        return self._columns[name]

    def higher_is_better(self, name: str) -> bool:
        """The direction of a column: lower is better for latencies and energies.

        Higher is better for all `scores:NAME` here; only the registry of proxies knows their directions. Raises
        InputError for a column whose name does not say its direction.
        """
        higher = self.direction(name)
        if higher is None:
            raise undirected(name)
        return higher

    def direction(self, name: str) -> bool | None:
        """The direction of a column as in `higher_is_better`, but None where its name does not say it."""
        table, own = self._owner(name)
        return table.direction(own)

    def is_fraction(self, name: str) -> bool:
        """Whether a column holds fractions, such as accuracies from 0 to 1, which are shown in percent."""
        table, own = self._owner(name)
        return table.is_fraction(own)

    def values(self, name: str, architectures: Iterable[object]) -> np.ndarray:
        """A column's value of each architecture (own string first, then class), NaN where there is none."""
        table, own = self._owner(name)
        return table.values(own, architectures)

    def unit(self, name: str) -> str:
        """The unit of a column, empty where it is not known; see `Table.unit`."""
        table, own = self._owner(name)
        return table.unit(own)

    def remarks(self) -> list[str]:
        """What a user should know of the files, one line each."""
        return [line for table in (*self.tables.values(), *self.unprefixed) for line in table.remarks()]

    def class_remarks(self, columns: Iterable[str]) -> list[str]:
        """A line for each table of these columns in which rows are isomorphic to others, so that not all values count.

        Tables of a whole space are left out: it is known how many classes that has. Raises InputError if a row is no
        architecture.
        """
        lines = []
        for table in {id(table): table for table, _ in map(self._owner, columns)}.values():
            rows = len(table.architectures)
            if hasattr(self.space, "__len__") and rows >= self.space.__len__():  # len() itself fails beyond 2^63
                continue
            classes = len(set(table.classes))
            if classes < rows:
                lines.append(
                    f"{table.source}: {rows:,} rows are {classes:,} classes of isomorphic architectures; a class has "
                    "one value, that of the row which is its representative or else of its first row."
                )
        return lines

    @cached_property
    def architectures(self) -> tuple[str, ...]:
        """The strings of the rows of all tables, each once."""
        tables = (*self.tables.values(), *self.unprefixed)
        return tuple(dict.fromkeys(arch for table in tables for arch in table.architectures))

    def classes(self, columns: Sequence[str]) -> list[str]:
        """Representatives of the classes with a value in each of the columns, in the order of the first column's table.

        The value is that of `values` and `metrics`: of the representative's own row if the table has one. Raises
        InputError without columns.
        """
        if not columns:
            raise InputError("Expected columns of the tables but got none.")
        names = list(dict.fromkeys(self.column(columns[0])[0].classes))
        known = np.all([np.isfinite(self.values(column, names)) for column in dict.fromkeys(columns)], axis=0)
        return [name for name, there in zip(names, known) if there]

    def metrics(self, architecture: object, columns: Sequence[str]) -> dict[str, float]:
        """The value of an architecture in each column, NaN if there is none; it is looked up once."""
        text = str(architecture)
        known = self._metrics.setdefault(tuple(columns), {})
        if text not in known:
            row_of: dict[int, int] = {}
            metrics = {}
            for name in columns:
                table, values = self.column(name)
                if id(table) not in row_of:
                    row_of[id(table)] = int(table.rows([text])[0])
                row = row_of[id(table)]
                metrics[name] = float(values[row]) if row >= 0 else float("nan")
            known[text] = metrics
        return dict(known[text])

    def _owner(self, column: str) -> tuple[Table, str]:
        """The table of a column, and the column's name there, which the table may not know.

        Raises InputError if no table can have it.
        """
        for prefix, table in self.tables.items():
            if prefix and column.startswith(prefix):
                return table, column.removeprefix(prefix)
        for table in self.unprefixed:
            if column in table.names():
                return table, column
        if "" not in self.tables:
            raise InputError(
                f"Expected a column of the given tables but got {column!r}{suggest(column, self.labels)}; "
                f"there are {in_short(self.labels)}. Columns of the robustness dataset need the path of robustness."
            )
        return self.tables[""], column


@dataclass
class TableSettings:
    """Paths of the tables to use, at least one; the comments name some columns of each."""

    robustness: str | None = path_field()  # the robustness dataset's folder: clean, fgsm@8, ...
    dataset: str = "cifar10"  # the data set whose columns are read: cifar10, cifar100, ImageNet16-120
    accuracy: str | None = path_field()  # NAS-Bench-201 or NATS-Bench: accuracy:cifar10_test_acc; or any space's table
    robbench: str | None = path_field()  # NAS-RobBench-201: robbench:pgd@8, ...
    latency: str | None = path_field()  # HW-NAS-Bench: edgegpu_latency, ...
    scores: list[str] = field(default_factory=list, metadata={PATH: True})  # scores:nwot; if several, scores:FILE:nwot

    def given(self) -> bool:
        """Whether any table is given."""
        return any([self.robustness, self.accuracy, self.robbench, self.latency, self.scores])

    def open(self, space: str = NASBench201.name) -> Collection:
        """The tables, of architectures of the `space`.

        Raises InputError if none is given, one is missing or damaged, the space is unknown, or a table is given that
        only NAS-Bench-201 has.
        """
        points = SPACES.get(space)()
        own = isinstance(points, NASBench201)
        for name in () if own else ONLY_NASBENCH201:
            if getattr(self, name) is not None:
                raise InputError(
                    f"Expected tables of {space} but got {name}, which has cells of NAS-Bench-201 only; "
                    "give accuracy or scores."
                )
        tables: dict[str, Table] = {}
        if self.robustness is not None:
            tables[""] = RobustnessDataset(Path(self.robustness), self.dataset)
        if self.accuracy is not None:
            file = Path(self.accuracy)
            tables[ACCURACY] = read_accuracies(file, self.dataset) if own else read_columns(file, points)
        if self.robbench is not None:
            tables["robbench:"] = read_robbench(Path(self.robbench), self.dataset)
        for prefix, path in zip(_prefixes(self.scores), self.scores):
            tables[prefix] = read_scores(Path(path), self.dataset, points)
        latencies = [] if self.latency is None else [read_latencies(Path(self.latency), self.dataset)]
        if not tables and not latencies:
            raise InputError(
                "Expected a table but got none; give the path of robustness, accuracy, robbench, latency or scores."
            )
        return Collection(tables, list(latencies), points)


def _prefixes(files: Sequence[str]) -> list[str]:
    if len(files) == 1:
        return [SCORES]
    stems = [Path(file).stem for file in files]
    if len(set(stems)) < len(stems):
        name = max(stems, key=stems.count)
        raise InputError(f"Expected score files of different names but got {name!r} more than once; rename one.")
    return [f"{SCORES}{stem}:" for stem in stems]
