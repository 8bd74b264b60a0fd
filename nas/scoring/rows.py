"""The rows of `nas score`: as lines, as a JSON array, and in a CSV or JSONL file that a later call continues."""

from __future__ import annotations

import csv
import errno
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nas.core.config import Values
from nas.core.errors import InputError, printable
from nas.core.io.files import csv_text, read_text, write_json
from nas.core.io.locks import lock
from nas.core.provenance import environment
from nas.results import ScoreRow
from nas.version import __version__

SUFFIXES = (".csv", ".jsonl")
OPTION = "--output"  # the argument of `nas score` for a file of rows
ANOTHER = f"another {OPTION}"
ENVIRONMENT = "environment"  # a key of the settings file: hardware and versions when it was begun; they may differ now


def write_all(descriptor: int, text: str) -> None:
    """Give the whole text to the operating system: it survives a kill of this process."""
    data = text.encode()
    while data:
        data = data[os.write(descriptor, data) :]


def line_of(row: ScoreRow) -> str:
    """A row as people read it."""
    parts = [f"{name} {value:.8g}" for name, value in row.scores.items()]
    parts += [f"failed: {row.reason}"] if row.reason is not None else []
    return printable(f"{row.arch}\n    {'  '.join(parts)}  ({row.seconds:.2f} s)\n")


class JsonArray:
    """One JSON array, written element by element; it is valid even if an interruption ends it early.

    Nothing is written if an error comes before the first element.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self.write = write
        self.empty = True

    def __enter__(self) -> JsonArray:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None or not (self.empty or issubclass(kind, OSError)):
            self.write("[]\n" if self.empty else "]\n")

    def add(self, row: ScoreRow) -> None:
        self.write(("[\n" if self.empty else ",") + json.dumps(row.to_json(), allow_nan=False) + "\n")
        self.empty = False


class RowFile:
    """A file of rows and, beside it, `FILE.settings.json`: the settings that its values depend on.

    Whole rows of an earlier call stay, and an incomplete last line is cut off. Raises InputError if the settings of the
    file differ from those of this call, or another process has it open. `defaults` are the values of settings that did
    not exist yet when the file was begun. Nothing is written before `begin`. Errors call the argument for the file
    `option` and another file `another`, in the words of the caller.
    """

    def __init__(
        self,
        path: Path,
        proxies: list[str],
        settings: Values,
        defaults: Values | None = None,
        option: str = OPTION,
        another: str = ANOTHER,
    ) -> None:
        if path.suffix not in SUFFIXES:
            raise InputError(f"Expected {option} of the form FILE.csv or FILE.jsonl but got {str(path)!r}.")
        self.path = path
        self.option = option
        self.another = another
        self.proxies = proxies
        self.settings = json.loads(json.dumps(settings))
        self.defaults = json.loads(json.dumps(defaults or {}))
        self.sidecar = path.with_name(f"{path.name}.settings.json")
        self.end = 0  # bytes of whole lines
        self.file: BinaryIO | None = None
        if path.exists():
            with self._os_errors_as_input_errors(path):
                self.file = path.open("r+b", buffering=0)
            lock(self.file, path, "writes to")
            if path.stat().st_size:
                self._compare()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *error: object) -> None:
        if self.file is not None:
            self.file.close()

    @property
    def columns(self) -> list[str]:
        return ["arch", "canonical", *self.proxies, "seconds", "reason"]

    def rows(self) -> Iterator[ScoreRow]:
        """The rows in the file. Raises InputError for a damaged line."""
        if self.file is None:
            return
        self.end = 0
        # not opened again: on Windows only the descriptor that locked a file can read it
        with os.fdopen(os.dup(self.file.fileno()), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return  # incomplete: the process was killed while it wrote
                try:
                    row = self._row(line.decode("utf-8-sig" if number == 1 else "utf-8"), number)
                except (ValueError, KeyError, TypeError, csv.Error, StopIteration) as error:
                    raise InputError(
                        f"Expected rows of `nas score` in {self.path} but line {number} is damaged; remove it (its "
                        f"architecture is scored again) or choose {self.another}."
                    ) from error
                self.end += len(line)
                if row is not None:
                    yield row

    def begin(self) -> None:
        """Prepare the file for more rows, after `rows` has read those that are there.

        Raises InputError if the file cannot be written.
        """
        if self.end == 0:
            with self._os_errors_as_input_errors(self.sidecar):
                about = environment(torch.device(self.settings.get("device", "cpu")))
                write_json(self.sidecar, {"version": __version__, **self.settings, ENVIRONMENT: about})
        with self._os_errors_as_input_errors(self.path):
            if self.file is None:
                self.file = self.path.open("x+b", buffering=0)
                lock(self.file, self.path, "writes to")
            self.file.truncate(self.end)
            self.file.seek(self.end)
        if self.end == 0 and self.path.suffix == ".csv":
            self._write(csv_text([self.columns]))

    def add(self, row: ScoreRow) -> None:
        if self.path.suffix == ".jsonl":
            self._write(json.dumps({**row.to_json(), "reason": row.reason}, allow_nan=False) + "\n")
        else:
            values = [row.scores.get(name, "") for name in self.proxies]
            self._write(csv_text([[row.arch, row.canonical, *values, row.seconds, row.reason]]))

    def _write(self, line: str) -> None:
        assert self.file is not None
        with self._os_errors_as_input_errors(self.path):
            write_all(self.file.fileno(), line)

    def _row(self, line: str, number: int) -> ScoreRow | None:
        if self.path.suffix == ".jsonl":
            row = json.loads(line)
            if set(row) != {"arch", "canonical", "scores", "seconds", "reason"}:
                raise ValueError("other keys")
            return ScoreRow.from_json(row)
        (cells,) = csv.reader([line])
        if len(cells) != len(self.columns) or (number == 1 and cells != self.columns):
            raise ValueError("other columns")
        if number == 1:
            return None
        scores = {name: float(cell) for name, cell in zip(self.proxies, cells[2:]) if cell}
        return ScoreRow(cells[0], cells[1], scores, float(cells[-2]), cells[-1] or None)

    def _compare(self) -> None:
        """Raises InputError if the rows in the file were computed with other settings."""
        try:
            before = json.loads(read_text(self.sidecar))
            version = before.pop("version")
            before.pop(ENVIRONMENT, None)
        except FileNotFoundError as error:
            raise InputError(
                f"Expected a new file for {self.option} or one that `nas score` began but {self.path} has no "
                f"{self.sidecar.name} beside it; choose another."
            ) from error
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(f"Expected a readable {self.sidecar} but: {error}; choose {self.another}.") from error
        now = dict(_leaves(self.settings))
        known = {key: value for key, value in _leaves(self.defaults) if key in now}
        old = {**known, **dict(_leaves(before))}
        differences = [
            f"{key} is {_as_text(old, key)} there and {_as_text(now, key)} here"
            for key in {**now, **old}
            if old.get(key) != now.get(key)
        ]
        if differences:
            more = f" (and {len(differences) - 4} more)" if len(differences) > 4 else ""
            raise InputError(
                f"Expected the settings that {self.path} was begun with but {'; '.join(differences[:4])}{more}. Use "
                f"the same settings to continue the file, or choose {self.another}."
            )
        if version != __version__:
            logging.getLogger("nas").warning("%s was begun by version %s; this is %s.", self.path, version, __version__)

    @contextmanager
    def _os_errors_as_input_errors(self, path: Path) -> Iterator[None]:
        """Turn errors of the operating system into an InputError that says what to do about a file of rows."""
        try:
            yield
        except (OSError, InputError) as error:
            reason = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(reason, OSError):
                raise
            if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise InputError(
                    f"Expected room for {path} but the disk is full; free some space, then run the same command again."
                ) from error
            raise InputError(f"Expected to write {path} but: {reason.strerror}; choose {self.another}.") from error


def _leaves(values: Values, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _as_text(values: Values, key: str) -> str:
    value = values.get(key)
    return ",".join(map(str, value)) if isinstance(value, list) else "unset" if value is None else str(value)
