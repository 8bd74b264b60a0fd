"""Read the files of tables. An InputError names the file, what is wrong with it, and where to get it."""

from __future__ import annotations

import csv
import gc
import io
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.files import EncodingError, read_text
from nas.core.suggestions import suggest

ARCHITECTURE = ("arch", "arch_str")  # what the column of architecture strings may be called


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
        if not path.exists():
            raise self.missing(path)
        try:
            return read_text(path)
        except EncodingError as error:
            raise self.damaged(path, f"it is in {error.encoding}; save it as UTF-8") from error
        except UnicodeDecodeError as error:
            raise self.damaged(path, "it is not text") from error
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
    words.
    """
    try:
        lines = [line for line in csv.reader(io.StringIO(origin.text(path)), strict=True) if line]
    except csv.Error as error:
        raise origin.damaged(path, str(error)) from error
    header = [name.strip() for name in lines[0]] if lines else []
    which = [header.index(name) for name in ARCHITECTURE if name in header]
    joined = not which and bool(parts) and set(parts) <= set(header)
    if not which and not joined:
        raise origin.damaged(path, f"no column is called {' or '.join(ARCHITECTURE)}")
    if len(set(header)) < len(header):
        raise origin.damaged(path, f"its header repeats {max(header, key=header.count)!r}")
    for number, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            raise origin.damaged(path, f"row {number} has {len(line)} cells, the header {len(header)}")
    cells = dict(zip(header, zip(*lines[1:]))) if len(lines) > 1 else dict.fromkeys(header, ())
    texts = map(" ".join, zip(*(cells.pop(name) for name in parts))) if joined else cells.pop(header[which[0]])
    architectures = [text.strip() for text in texts]
    columns = {}
    for name, texts in cells.items():
        if name and name not in (*ARCHITECTURE, *ignored):
            values = _numbers(path, origin, name, texts)
            if values is not None:
                columns[name] = values
    return Rows(architectures, columns)


def _numbers(path: Path, origin: Origin, name: str, texts: tuple[str, ...]) -> np.ndarray | None:
    try:
        return np.array(list(map(float, texts)))
    except ValueError:
        pass  # empty cells or words, told apart below
    values, words = np.full(len(texts), math.nan), []
    for row, text in enumerate(texts):
        if text.strip():
            try:
                values[row] = float(text)
            except ValueError:
                words.append(row)
    filled = sum(1 for text in texts if text.strip())
    if words and len(words) == filled:
        return None
    if words:
        raise origin.damaged(path, f"row {words[0] + 2} of column {name!r} is {texts[words[0]]!r}, not a number")
    return values
