"""Read the entries of long JSON lists one after the other, so that only one of them is in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

BLOCK = 2**20  # characters that are read at once
_SPACE = re.compile(r"[ \t\n\r]*")


class NoList(ValueError):
    """The text is no JSON list, and no object of lists."""


def list_entries(file: TextIO, keys: Sequence[str] = ()) -> Iterator[Any]:
    """The entries of the list that a file holds, in order; of an object whose first key is one of `keys`, of its lists.

    Raises NoList if it does not begin as one of these, and ValueError, with the number of the entry, where it is not
    JSON.
    """
    text = _Text(file)
    try:
        if text.sign() == "{":
            yield from _of_object(text, keys)
        elif text.sign() == "[":
            yield from _of_list(text)
        else:
            raise NoList("it is no list")
        if text.sign():
            raise ValueError("extra data after the list")
    except NoList:
        raise
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ValueError(f"entry {max(1, text.entries)}: {why}") from error


def _of_list(text: _Text) -> Iterator[Any]:
    for _ in _items(text, "]"):
        text.entries += 1
        yield text.value()


def _of_object(text: _Text, keys: Sequence[str]) -> Iterator[Any]:
    """The entries of all lists among the values of an object."""
    begun = False
    for _ in _items(text, "}"):
        key = text.value()
        if not begun and key not in keys:
            raise NoList(f"it is an object that begins with {key!r}")
        begun = True
        if not isinstance(key, str) or text.sign() != ":":
            raise ValueError("expecting a key and ':' after it")
        text.at += 1
        if text.sign() == "[":
            yield from _of_list(text)
        else:
            text.value()
    if not begun:
        raise NoList("it is an empty object")


def _items(text: _Text, end: str) -> Iterator[None]:
    """Stop before each item of a list or an object; `end` closes it."""
    text.at += 1
    if text.sign() != end:
        yield
        while text.sign() == ",":
            text.at += 1
            yield
    if text.sign() != end:
        raise ValueError(f"expecting ',' or '{end}' after it")
    text.at += 1


class _Text:
    """The part of a file that is being read. `at` is the place in it of what has not been read."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.entries = 0  # of lists, that have begun
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
