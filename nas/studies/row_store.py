"""A small CSV file of finished results. A row is written whole and at once: a killed study loses one at most."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

from nas.core.errors import InputError
from nas.core.io.files import csv_text, os_errors_as_input_errors
from nas.core.io.locks import lock
from nas.core.io.records import Json

COMMENT = "# "
FIGURES = 7  # significant digits of a value

Key = tuple[str, ...]
Values = tuple["float | None", ...]


class RowStore:
    """Rows of numbers by their key. The first line of the file is a comment with the settings of the numbers.

    With `write` the file is created and locked if need be, and `add` appends to it; otherwise it is only read, and a
    file that does not exist has no rows. An incomplete last line is ignored, and cut off before anything is appended.

    Raises InputError if the file has other settings or other columns than these, or if another process writes to it.
    """

    def __init__(self, path: Path, keys: Sequence[str], values: Sequence[str], settings: Json, write: bool = False):
        self.path, self.keys, self.values = path, tuple(keys), tuple(values)
        self.rows: dict[Key, Values] = {}
        self._head = COMMENT + json.dumps(settings, sort_keys=True) + "\n" + csv_text([[*keys, *values]])
        with os_errors_as_input_errors(path):
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a+b", buffering=0)
                lock(self._file, path, "writes to")
            content = path.read_bytes() if path.exists() else b""
            end = content.rfind(b"\n") + 1
            self._read(content[:end].decode())
            if write:
                self._file.truncate(end)
                if not end:
                    os.write(self._file.fileno(), self._head.encode())

    def add(self, key: Key, values: Values) -> None:
        """Append a row; None becomes an empty cell."""
        cells = ["" if value is None else f"{value:.{FIGURES}g}" for value in values]
        os.write(self._file.fileno(), csv_text([[*key, *cells]]).encode())
        self.rows[key] = tuple(None if cell == "" else float(cell) for cell in cells)

    def _read(self, text: str) -> None:
        if not text:
            return
        if not text.startswith(self._head):
            raise InputError(
                f"Expected rows with the settings and columns of this study in {self.path} but got others; move the "
                "file away, or name another folder."
            )
        for row in csv.reader(io.StringIO(text[len(self._head) :])):
            cells = row[len(self.keys) :]
            self.rows[tuple(row[: len(self.keys)])] = tuple(None if cell == "" else float(cell) for cell in cells)
