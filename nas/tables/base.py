"""The contract of a table: named columns of numbers, with one row per architecture, found by string or by class."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces import NASBench201, SearchSpace
from nas.tables.repeated import averaged

DIGITS = 12  # decimals to which averages of accuracies are rounded, so that equal ones stay tied


class Table(ABC):
    """Numbers of many architectures. A column is read when it is needed, and stays in memory.

    `architectures` are the strings of the rows. A column has a name and one or several levels (a corruption has one per
    severity), and its value is the mean of its levels. NaN stands for a value that the table does not have.
    `hrs:NAME` is the harmonic robustness score 2AR / (A + R) of the columns `clean` and NAME, 0 where both are 0.
    """

    def __init__(self, source: str, architectures: Sequence[str], space: SearchSpace[Any] | None = None) -> None:
        self.source = source  # its name in messages
        self.architectures = tuple(architectures)
        self.space = space if space is not None else NASBench201()

    @abstractmethod
    def names(self) -> list[str]:
        """The columns that can be read here, except `hrs:` and single severities."""

    @abstractmethod
    def _levels(self, name: str) -> np.ndarray:
        """(rows, levels) of one column other than `hrs:`. Raises InputError for an unknown name."""

    def levels(self, name: str) -> np.ndarray:
        """(rows, levels) of a column, float64."""
        if not name.startswith("hrs:"):
            return self._levels(name)
        clean, robust = self._levels("clean"), self._levels(name.removeprefix("hrs:"))
        total = clean + robust
        score = 2 * clean * robust / np.where(total == 0, 1, total)
        return np.round(score, DIGITS)

    def column(self, name: str) -> np.ndarray:
        """(rows,) of a column: the mean of its levels."""
        levels = self.levels(name)
        return levels[:, 0] if levels.shape[1] == 1 else np.round(levels.mean(axis=1), DIGITS)

    def direction(self, name: str) -> bool | None:
        """Whether higher is better in a column; None where nothing says it."""
        return True

    def is_fraction(self, name: str) -> bool:
        """Whether a column holds fractions, such as accuracies from 0 to 1, which are shown in percent."""
        return False

    def unit(self, name: str) -> str:
        """The unit of a column: `fraction`, `percent`, `seconds`, ..., or empty where the table does not say it."""
        return "fraction" if self.is_fraction(name) else ""

    def remarks(self) -> list[str]:
        """What a user should know of the file, such as rows that are not used; one line each."""
        return []

    def rows(self, architectures: Iterable[object]) -> np.ndarray:
        """The row of each architecture: that of its own string, else that of its class, else -1."""
        return np.array([self._row(str(arch)) for arch in architectures], dtype=np.int64)

    def values(self, name: str, architectures: Iterable[object]) -> np.ndarray:
        """A column's value of each architecture, NaN where the table has none."""
        rows = self.rows(architectures)
        return np.where(rows < 0, np.nan, self.column(name)[rows]) if len(self.architectures) else rows * np.nan

    def has(self, architecture: object) -> bool:
        """Whether the architecture has a row of its own, not only through its class."""
        return str(architecture) in self._own

    def unknown(self, name: str) -> InputError:
        known = self.names()
        return InputError(
            f"Expected a column of {self.source} but got {name!r}{suggest(name, known)}; there are {in_short(known)}."
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The class of each row, by the string of its representative. Raises InputError if a row is no architecture."""
        classes: list[str] = []
        try:
            for text in self.architectures:
                classes.append(self._class_of(text))
        except InputError as error:
            raise InputError(f"{self.source}, architecture {len(classes) + 1}: {error}") from error
        return tuple(classes)

    def _row(self, text: str) -> int:
        row = self._own.get(text)
        return row if row is not None else self._first.get(self._class_of(text), -1)

    def _class_of(self, text: str) -> str:
        return str(self.space.canonical(self.space.parse(text)))

    @cached_property
    def _own(self) -> dict[str, int]:
        return {text: row for row, text in enumerate(self.architectures)}

    @cached_property
    def _first(self) -> dict[str, int]:
        """Representative of each class → its own row where it has one, else the first row of the class."""
        first: dict[str, int] = {}
        for row, name in enumerate(self.classes):
            first.setdefault(name, row)
        return {name: self._own.get(name, row) for name, row in first.items()}


def undirected(column: str) -> InputError:
    """For a column that is to be compared although its name does not say in which direction it is better."""
    return InputError(
        f"Expected a column whose name says whether higher or lower is better but got {column}; write {column}:max or "
        f"{column}:min as objective, or rename the column."
    )


def in_short(names: Sequence[str]) -> str:
    """Names of columns for a message, those of one attack as `fgsm@*`."""
    return ", ".join(dict.fromkeys(re.sub("@.*", "@*", name) for name in names))


@lru_cache(maxsize=2**15)  # several tables have the same 15,625 strings
def _own_string(space: type[SearchSpace[Any]], text: str) -> str:
    """The space's own string of an architecture; any other text unchanged, so that `Table.classes` refuses it."""
    try:
        return str(space().parse(text))
    except InputError:
        return text


class ArrayTable(Table):
    """A table whose columns are in memory.

    An architecture may be written in any notation of its space. If it has several rows, the first counts or, if `mean`,
    their mean. `unlisted` are columns that can be read but are not among `names()`. With `own` the architectures are
    given as the space's own strings, which are not parsed again.
    """

    def __init__(
        self,
        source: str,
        architectures: Sequence[str],
        columns: Mapping[str, np.ndarray],
        space: SearchSpace[Any] | None = None,
        unlisted: Mapping[str, np.ndarray] | None = None,
        mean: bool = False,
        own: bool = False,
    ) -> None:
        kind = NASBench201 if space is None else type(space)
        texts = list(architectures) if own else [_own_string(kind, text) for text in architectures]
        given = {**columns, **(unlisted or {})}
        if mean:
            different, values = averaged(source, texts, given)
        else:
            rows = dict(zip(reversed(texts), reversed(range(len(texts)))))  # the first of each
            different = list(dict.fromkeys(texts))
            first = [rows[text] for text in different]
            values = {name: np.asarray(column, dtype=np.float64)[first] for name, column in given.items()}
        super().__init__(source, different, space)
        self.repeated, self.averages = len(texts) - len(different), mean
        self.columns = {name: values[name] for name in columns}
        self.unlisted = {name: values[name] for name in unlisted or {}}

    def names(self) -> list[str]:
        return list(self.columns)

    def remarks(self) -> list[str]:
        if not self.repeated or self.averages:
            return []
        return [f"{self.source}: of an architecture the first row counts; rows that repeat one: {self.repeated:,}"]

    def _levels(self, name: str) -> np.ndarray:
        column = self.columns.get(name, self.unlisted.get(name))
        if column is None:
            raise self.unknown(name)
        return column[:, None]
