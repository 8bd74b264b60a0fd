"""Read the files of tables. An InputError names the file, what is wrong with it, and where to get it."""

from __future__ import annotations

import csv
import gc
import itertools
import json
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nas.core.errors import InputError
from nas.core.io.files import EncodingError, open_text, read_text
from nas.core.suggestions import suggest

BLOCK = 4096  # rows that are read at once
ARCHITECTURE = ("arch", "arch_str")  # what the column of architecture strings may be called
SEPARATORS = {";": "semicolons", "\t": "tabs"}  # of columns, which other programs write in place of commas
NEARLY_A_NUMBER = re.compile(  # with a percent sign, a comma as the decimal mark, or an error (53.2 ± 0.1)
    r"[-+]?\d+[.,_]?\d*\s*%?(?:\s*(?:±|\+/?-)\s*\d*[.,]?\d+\s*%?)?"
)
COMPRESSED = {b"\x1f\x8b": "gzip", b"PK": "ZIP", b"BZ": "bzip2", b"\xfd7": "xz"}  # by the first bytes


def number_of(text: str) -> float:
    """The number that a text is. Raises ValueError for any other, also for Python's own 1_000."""
    if "_" in text:
        raise ValueError(f"could not convert string to float: {text!r}")
    return float(text)


@contextmanager
def uncollected() -> Iterator[None]:
    """Stop garbage collection while a file is parsed: it would take a third of the time and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class Origin:
    """The name of a kind of file, and where users get it."""

    what: str
    where: str

    def missing(self, path: Path) -> InputError:
        return InputError(f"Expected {self.what} at {path} but there is no such file; {self.where}.")

    def damaged(self, path: Path, why: str) -> InputError:
        return InputError(f"Expected {self.what} but {path} is damaged: {why}; {self.where}.")

    def dataset(self, name: str, known: Iterable[str], path: Path) -> str:
        """The data set as the file spells it, for a `name` in any case. Raises InputError if it is not there."""
        names = sorted(known)
        for spelt in names:
            if spelt.lower() == name.lower():
                return spelt
        raise InputError(
            f"Expected the dataset {name!r} in {path} but there is none{suggest(name, names)}; "
            + (f"there are {', '.join(names)}; " if names else "")
            + f"{self.where}."
        )

    def text(self, path: Path) -> str:
        """The text of the file. Raises InputError if it is missing, damaged or cannot be read."""
        with self._readable(path):
            return read_text(path)

    @contextmanager
    def opened(self, path: Path) -> Iterator[TextIO]:
        """The file, open for reading on and on. Raises InputError if it is missing, damaged or cannot be read."""
        with self._readable(path), open_text(path) as file:
            yield file

    @contextmanager
    def _readable(self, path: Path) -> Iterator[None]:
        if not path.exists():
            raise self.missing(path)
        try:
            yield
        except EncodingError as error:
            raise self.damaged(path, f"it is in {error.encoding}; save it as UTF-8") from error
        except UnicodeDecodeError as error:
            kind = COMPRESSED.get(path.read_bytes()[:2])
            why = "it is not text" if kind is None else f"it is a {kind} file; unpack it first"
            raise self.damaged(path, why) from error
        except OSError as error:
            raise InputError(f"Expected {self.what} but {path} cannot be read: {error.strerror}.") from error

    @uncollected()
    def json(self, path: Path, text: str | None = None) -> Any:
        """The JSON of the file, or of its `text` if that has been read before. Raises InputError if it is damaged."""
        try:
            return json.loads(self.text(path) if text is None else text)
        except (ValueError, RecursionError) as error:
            raise self.damaged(path, f"it is not JSON ({error})") from error


@dataclass(frozen=True)
class Rows:
    """Architectures and, by column, their numbers (NaN for an empty cell)."""

    architectures: list[str]
    columns: dict[str, np.ndarray]


@uncollected()
def read_csv(path: Path, origin: Origin, ignored: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> Rows:
    """The columns of numbers of a CSV file with a column `arch` or `arch_str`; columns of text are ignored.

    An empty cell is NaN. Where there is no such column, the texts of the columns `parts`, joined by a space, are the
    architectures. Raises InputError for a file that is missing or damaged, and for a column with both numbers and
    words, or with numbers in another notation (`93.2%`, `93,2`, `93.2 ± 0.1`).
    """
    with origin.opened(path) as file:
        lines = (line for line in csv.reader(file, strict=True) if line)
        try:
            header = [name.strip() for name in next(lines, [])]
            which = [header.index(name) for name in ARCHITECTURE if name in header]
            joined = not which and bool(parts) and set(parts) <= set(header)
            if not which and not joined:
                raise origin.damaged(path, f"no column is called {' or '.join(ARCHITECTURE)}{_separated(header)}")
            if len(set(header)) < len(header):
                raise origin.damaged(path, f"its header repeats {max(header, key=header.count)!r}")
            keys = [header.index(name) for name in parts] if joined else which[:1]
            others = {
                place: name for place, name in enumerate(header) if name and name not in (*ARCHITECTURE, *ignored)
            }
            columns = {place: _Column(name) for place, name in others.items() if place not in keys}
            architectures: list[str] = []
            while block := list(itertools.islice(lines, BLOCK)):
                for number, line in enumerate(block, len(architectures) + 2):
                    if len(line) != len(header):
                        raise origin.damaged(path, f"row {number} has {len(line)} cells, the header {len(header)}")
                cells = list(zip(*block))
                for place, column in columns.items():
                    column.add(cells[place], len(architectures) + 2)
                architectures += [" ".join(texts).strip() for texts in zip(*(cells[place] for place in keys))]
        except csv.Error as error:
            raise origin.damaged(path, str(error)) from error
    for column in columns.values():
        if column.words and (column.words < column.filled or NEARLY_A_NUMBER.fullmatch(column.first[1].strip())):
            row, text = column.first
            raise origin.damaged(path, f"row {row} of column {column.name!r} is {text!r}, not a number")
    return Rows(architectures, {c.name: np.array(c.values) for c in columns.values() if not c.words})


def _separated(header: list[str]) -> str:
    """For an error: that the columns are separated by something else than commas, if they are."""
    if len(header) == 1:
        for separator, name in SEPARATORS.items():
            if set(ARCHITECTURE) & {part.strip() for part in header[0].split(separator)}:
                return f", since its columns are separated by {name}; save it with commas"
    return ""


class _Column:
    """The numbers of a column, and how many of its cells are words, of those that are filled."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values = array("d")
        self.filled = self.words = 0
        self.first = (0, "")  # row and text of the first word

    def add(self, texts: Sequence[str], row: int) -> None:
        """Take in further cells, the first of them in this row."""
        try:
            if "_" not in "".join(texts):
                self.values.extend(list(map(float, texts)))
                self.filled += len(texts)
                return
        except ValueError:
            pass  # empty cells or words, told apart below
        for number, text in enumerate(texts, row):
            value = math.nan
            if text.strip():
                self.filled += 1
                try:
                    value = number_of(text)
                except ValueError:
                    self.first = self.first if self.words else (number, text)
                    self.words += 1
            self.values.append(value)
