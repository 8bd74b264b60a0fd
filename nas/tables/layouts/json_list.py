"""Read the entries of a long JSON list one after the other, so that only one of them is in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

BLOCK = 2**20  # characters that are read at once
_SPACE = re.compile(r"[ \t\n\r]*")


class NoList(ValueError):
    """The text is no JSON list."""


def list_entries(file: TextIO) -> Iterator[Any]:
    """The entries of the list that a file holds, in order.

    Raises NoList if it does not begin as one, and ValueError, with the number of the entry, where it is not JSON.
    """
    text = _Text(file)
    if text.sign() != "[":
        raise NoList("it is no list")
    text.at += 1
    number = 1
    try:
        if text.sign() != "]":
            yield text.value()
            while text.sign() == ",":
                text.at += 1
                number += 1
                yield text.value()
        if text.sign() != "]":
            raise ValueError("expecting ',' or ']' after it")
        text.at += 1
        if text.sign():
            raise ValueError("extra data after the list")
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ValueError(f"entry {number}: {why}") from error


class _Text:
    """The part of a file that is being read. `at` is the place in it of what has not been read."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.decoder = json.JSONDecoder()

    def sign(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = self.at if space is None else space.end()
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        """The next value. Raises JSONDecodeError if there is none."""
        self.sign()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if end == len(self.text) and self._more():  # a number may go on
                continue
            self.at = end
            return value

    def _more(self) -> bool:
        """Read on; twice as much where a value is longer than all that has been read."""
        left = self.text[self.at :]
        block = self.file.read(max(BLOCK, len(left)))
        self.text, self.at = left + block, 0
        return bool(block)
