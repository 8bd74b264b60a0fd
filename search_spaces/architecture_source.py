"""The architectures that `nas score` scores: arguments, a file, a random sample or the whole space; each one once."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from nas.core.errors import InputError
from nas.core.io.files import check_encoding, open_text
from nas.search_spaces import SPACES, SearchSpace
from nas.search_spaces.base import MAX_FRUITLESS_DRAWS, digest

COLUMNS = ("arch", "arch_str")  # columns of a CSV file; the first that is present is read
MAX_ENUMERATED = 100_000  # size up to which all architectures of a space are enumerated to count its classes

Point = tuple[str, Any]  # the name of an architecture in results, and the architecture


@dataclass(frozen=True)
class Candidate:
    """An architecture to score."""

    text: str
    arch: Any
    number: int  # position in the sources, counted from 1; repetitions count too


class ArchitectureSource:
    """All sources one after the other: arguments, file, sample, space.

    With `unique` each architecture is replaced by the representative of its class of isomorphic cells. `total` is the
    number of architectures in all sources, repetitions included; None if it is not known.

    Raises InputError if an argument or a line of a regular file is not an architecture, or if the sample is larger than
    the space. Standard input and pipes are read, and their lines checked, only while `new` runs.
    """

    def __init__(
        self,
        space: SearchSpace[Any],
        texts: Iterable[str] = (),
        file: str | None = None,
        sample: int | None = None,
        seed: int = 0,
        everything: bool = False,
        unique: bool = False,
    ) -> None:
        self.space = space
        self.file = file
        self.sample = sample
        self.seed = seed
        self.everything = everything
        self.unique = unique
        self.given: list[Point] = [point(text, space) for text in texts]
        if not self.given and file is None and sample is None and not everything:
            raise InputError(
                "Expected at least one architecture but got none; give some (in quotes: they contain | or brackets), "
                "--file FILE, --sample N or --all."
            )
        size = self._size() if sample is not None or everything else 0
        if sample is not None and sample < 1:
            raise InputError(f"Expected --sample of at least 1 but got {sample}.")
        if sample is not None and size is not None and sample > size:
            raise InputError(
                f"Expected --sample of at most {size} but got {sample}: {space.name} has no more "
                f"{'classes' if unique else 'architectures'}; take --all."
            )
        listed, enumerated = self._lines(), size if everything else 0
        self.total: int | None = None
        if listed is not None and enumerated is not None:
            self.total = len(self.given) + listed + (sample or 0) + enumerated

    def new(self, seen: set[bytes]) -> Iterator[Candidate]:
        """Each architecture once, except those whose `digest` is in `seen`.

        The digests of arguments, files and samples are added to `seen`. Those of a whole space are not: its strings
        are distinct anyway. Raises InputError if a sample finds too few architectures.
        """
        number = 0
        listed = (self._unified(text, arch) for text, arch in chain(self.given, self._read()))
        for text, arch in chain(listed, self._drawn()):
            number += 1
            key = digest(str(arch))
            if key not in seen:
                seen.add(key)
                yield Candidate(text, arch, number)
        for arch in self._enumerated():
            number += 1
            text = str(arch)
            if digest(text) not in seen:
                yield Candidate(text, arch, number)

    def _unified(self, text: str, arch: Any) -> Point:
        if not self.unique:
            return text, arch
        representative = self.space.canonical(arch)
        return str(representative), representative

    def _size(self) -> int | None:
        """The number of architectures, or classes, of the space; None if there are too many to count the classes."""
        size = self.space.__len__()  # len() itself fails beyond 2^63
        if not self.unique:
            return size
        return len({self.space.canonical(arch) for arch in self.space}) if size <= MAX_ENUMERATED else None

    def _lines(self) -> int | None:
        """The number of architectures in the file; None if it can only be read once."""
        if self.file is None:
            return 0
        if self.file == "-" or Path(self.file).is_fifo() or Path(self.file).is_char_device():
            return None
        lines = sum(1 for _ in self._read())
        if lines == 0:
            raise InputError(f"Expected architectures in {self.file} but it has none; write one per line.")
        return lines

    def _read(self) -> Iterator[Point]:
        if self.file is None:
            return
        name = "standard input" if self.file == "-" else self.file
        try:
            if self.file == "-":
                empty = True
                for point in parsed(sys.stdin, name, self.space):
                    empty = False
                    yield point
                if empty:
                    raise InputError("Expected architectures on standard input but it has none; write one per line.")
            else:
                with open_text(Path(self.file)) as file:
                    yield from parsed(file, name, self.space)
        except OSError as error:
            raise InputError(f"Expected a readable file of architectures but got {name}: {error.strerror}.") from error
        except (csv.Error, UnicodeError) as error:
            if isinstance(error, UnicodeDecodeError):
                check_encoding(error.object, name)
            raise InputError(f"Expected lines of text in {name} but got an error: {error}.") from error

    def _drawn(self) -> Iterator[Point]:
        """Distinct architectures drawn uniformly; a smaller sample is the beginning of a larger one."""
        drawn = fruitless = 0
        for arch in self.space.draws(self.seed, self.unique) if self.sample else ():
            fruitless = 0 if arch is not None else fruitless + 1
            if arch is not None:
                drawn += 1
                yield str(arch), arch
            if drawn == self.sample:
                return
            if fruitless >= MAX_FRUITLESS_DRAWS:
                raise InputError(
                    f"Expected {self.sample} different architectures for --sample but found only {drawn}: "
                    f"{MAX_FRUITLESS_DRAWS} further draws gave no new one; take a smaller sample."
                )

    def _enumerated(self) -> Iterator[Any]:
        if not self.everything:
            return
        if not self.unique:
            yield from self.space
            return
        yielded: set[bytes] = set()  # the representative of a class may itself not be enumerated
        for arch in self.space:
            representative = self.space.canonical(arch)
            key = digest(str(representative))
            if key not in yielded:
                yielded.add(key)
                yield representative


def point(text: str, space: SearchSpace[Any]) -> Point:
    """The architecture written as `text`, and its name in results.

    The name is the field's string, or the name of a published architecture if `text` is that name.
    """
    arch = space.parse(text)
    return space.label(text, arch), arch


def hint_of_other_space(texts: Iterable[str], space: SearchSpace[Any], option: str) -> str:
    """A sentence for an error: the space of the first text that is not of `space`; empty if there is none.

    `option` is how the user gives a space: `--space ` or `space=`.
    """
    foreign = [text for text in texts if not _reads(space, text)]
    for name in SPACES.names() if foreign else ():
        if _reads(SPACES.get(name)(), foreign[0]):
            return f" It is an architecture of another space: give {option}{name}."
    return ""


def _reads(space: SearchSpace[Any], text: str) -> bool:
    try:
        space.parse(text)
    except InputError:
        return False
    return True


def parsed(lines: Iterable[str], name: str, space: SearchSpace[Any]) -> Iterator[Point]:
    """The architectures in lines of text.

    Each line holds an architecture or a JSON object with "arch". If the first line has a field `arch` or `arch_str`,
    the lines are a CSV table. Raises InputError with the number of the line if a line holds no architecture.
    """
    for number, text in _texts(_unmarked(lines, name), name):
        try:
            yield point(text, space)
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from error


def _unmarked(lines: Iterable[str], name: str) -> Iterator[str]:
    """The lines without a byte order mark at the beginning, which standard input may have."""
    rest = iter(lines)
    for first in rest:
        check_encoding(first[:4].encode("utf-8", "surrogateescape"), name)
        yield first.removeprefix("\ufeff")
        break
    yield from rest


def _texts(lines: Iterable[str], name: str) -> Iterator[tuple[int, str]]:
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    header = [cell.strip() for cell in next(csv.reader([first[1]]))]
    column = next((header.index(column) for column in COLUMNS if column in header), None)
    if column is not None:
        yield from _cells(numbered, column, name)
        return
    if name.endswith(".csv"):
        raise InputError(f"Expected a column {' or '.join(COLUMNS)} in {name} but its first line has none; add one.")
    for number, line in chain([first], numbered):
        yield number, " ".join(_field(line, name, number).split())


def _cells(numbered: Iterator[tuple[int, str]], column: int, name: str) -> Iterator[tuple[int, str]]:
    """The cells of one column of a CSV table, each with the number of the last line of its row."""
    last = 0

    def lines() -> Iterator[str]:
        nonlocal last
        for last, line in numbered:  # noqa: B007
            yield line

    for row in csv.reader(lines()):
        if column >= len(row):
            raise InputError(f"{name}, line {last}: Expected at least {column + 1} cells but got {len(row)}.")
        yield last, " ".join(row[column].split())


def _field(line: str, name: str, number: int) -> str:
    """The "arch" of a JSON object; any other line as it is, because an architecture itself may be written as JSON."""
    if line.lstrip().startswith("{"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return line
        arch = value.get("arch")
        if arch is not None:
            return arch if isinstance(arch, str) else json.dumps(arch)
    if name.endswith(".jsonl"):
        raise InputError(f'{name}, line {number}: Expected a JSON object with "arch" but got another line.')
    return line
