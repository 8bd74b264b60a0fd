"""Read values as Python or JSON prints them. Nothing is evaluated, and each value keeps its place in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_LEVELS = 40  # of brackets within brackets
MOST_DIGITS = 9  # of a whole number
MOST_CHARACTERS_OF_FLOAT = 40
BEFORE, AFTER = 30, 40  # characters of an excerpt, before and after the place

_SKIPPED = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN = re.compile(
    r"""u?(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<float>[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)(?![\w.]))
    | (?P<whole>[-+]?[0-9]+(?![\w.]))
    | (?P<name>[A-Za-z_][A-Za-z_0-9.]*)
    | (?P<sign>[()\[\]{},:=*])""",
    re.VERBOSE,
)
_NAMED = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\s*=")
_CONSTANTS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}
_NOT_FINITE = ("NaN", "nan", "Infinity", "inf")
PLAIN = re.compile(r"int|str|str_|u?int(8|16|32|64)|intp|float(16|32|64)?|tensor")  # np.int64(0) stands for 0
_SEQUENCES = ("list", "tuple", "array", "asarray")


def one_of(name: str, known: Sequence[str]) -> str:
    """The member of `known` that `name` is, or that it alone is without regard to case; else `name` as it is."""
    alike = [one for one in known if one.lower() == name.lower()]
    return alike[0] if name not in known and len(alike) == 1 else name


class Trouble(Exception):
    """A text is not as expected: `why`, a noun phrase, at its character `place`, counted from 0."""

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.why = why
        self.place = place


def shown(text: str, place: int) -> str:
    """A place in a text for an error message: the number of the character, and the text around it."""
    start, end = max(0, place - BEFORE), place + AFTER
    part = " ".join(text[start:end].split())
    return f"at character {place + 1}, in `{'...' * (start > 0)}{part}{'...' * (end < len(text))}`"


@dataclass(frozen=True)
class Value:
    """A text, number, bool, None, range, list of values (also for a tuple) or dict of them, which begins at `place`."""

    content: Any
    place: int

    @property
    def plain(self) -> Any:
        """Without the places."""
        if isinstance(self.content, list):
            return [item.plain for item in self.content]
        if isinstance(self.content, dict):
            return {key: item.plain for key, item in self.content.items()}
        return self.content


class Reader:
    """Reads values from `text`, one after the other, from the character `start` on. Time is linear in the text.

    Every method that reads raises `Trouble` where something else stands. `end` is the character behind what was read.
    """

    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.end = start
        self.unclosed: int | None = None  # place of the last token, if it is a text with brackets in it
        self.look()

    def value(self, level: int = 0) -> Value:
        """The next value."""
        place, kind, token = self.place, self.kind, self.token
        if level > MOST_LEVELS:
            raise Trouble(f"more than {MOST_LEVELS} levels of brackets", place)
        if kind == "text":
            self._advance()
            return Value(_unquoted(token), place)
        if kind in ("whole", "float"):
            self._advance()
            return Value(_number(token, kind, place), place)
        if kind == "name":
            self._advance()
            return self._named(token, place, level)
        if token == "(":
            items, comma = self._items(")", level)
            return Value(items, place) if comma or not items else Value(items[0].content, items[0].place)
        if token == "[":
            return Value(self._items("]", level)[0], place)
        if token == "{":
            return Value(self._entries(level), place)
        raise self._other("a value")

    def arguments(self, level: int = 0) -> tuple[list[Value], dict[str, Value]]:
        """Those of a call, positional and by name, from its opening bracket to its closing one."""
        self._take("(")
        positional: list[Value] = []
        named: dict[str, Value] = {}
        while self.token != ")":
            place, word = self.place, self.token
            if _NAMED.match(self.text, place):
                self._advance()
                self._take("=")
                if word in named:
                    raise Trouble(f"{word[:40]!r} again, which may stand once,", place)
                named[word] = self.value(level + 1)
            elif named:
                raise Trouble("an argument without a name after one with", place)
            else:
                positional.append(self.value(level + 1))
            if self.token != ")":
                self._take(",")
        self._advance()
        return positional, named

    def _items(self, closing: str, level: int) -> tuple[list[Value], bool]:
        """The items up to the closing bracket, and whether there is a comma between or behind them."""
        self._advance()
        items: list[Value] = []
        comma = False
        while self.token != closing:
            place = self.place
            if self.token == "*":  # as in [*range(2, 6)]
                self._advance()
                items += _spread(self.value(level + 1), place)
            else:
                items.append(self.value(level + 1))
            if self.token != closing:
                self._take(",")
                comma = True
        self._advance()
        return items, comma

    def _entries(self, level: int) -> dict[str, Value]:
        self._advance()
        entries: dict[str, Value] = {}
        while self.token != "}":
            place = self.place
            if self.kind != "text":
                raise self._other("a key in quotes")
            key = _unquoted(self.token)
            self._advance()
            if key in entries:
                raise Trouble(f"{key[:40]!r} again, which may stand once,", place)
            self._take(":")
            entries[key] = self.value(level + 1)
            if self.token != "}":
                self._take(",")
        self._advance()
        return entries

    def _named(self, name: str, place: int, level: int) -> Value:
        """A constant, or what a call as it is printed stands for: range(2, 6), list(range(2, 6)), np.int64(0)."""
        if self.token != "(":
            if name in _CONSTANTS:
                return Value(_CONSTANTS[name], place)
            if name in _NOT_FINITE:
                return Value(float(name), place)
            raise Trouble(f"the word {name[:40]!r}", place)
        positional, _ = self.arguments(level + 1)
        last = name.rpartition(".")[2]
        given = [one.content for one in positional]
        kinds = [type(one) for one in given]
        if last in ("range", "arange") and kinds in ([int], [int] * 2, [int] * 3) and given[2:] != [0]:
            return Value(range(*given), place)
        if kinds in ([list], [range]) and last in _SEQUENCES:
            return Value(given[0], place)
        if kinds in ([int], [float], [str]) and PLAIN.fullmatch(last):
            return Value(given[0], place)
        raise Trouble(f"a call of {name[:40]!r}", place)

    def _take(self, sign: str) -> None:
        if self.token != sign:
            raise self._other(repr(sign))
        self._advance()

    def _other(self, wanted: str) -> Trouble:
        """That the present token is not what is wanted."""
        if self.unclosed is not None or self.token in ("'", '"'):
            return Trouble("a quote that is not closed", self.place if self.unclosed is None else self.unclosed)
        found = "its end" if self.kind == "end" else repr(self.token[:40])
        return Trouble(f"{found} where {wanted} should be", self.place)

    def _advance(self) -> None:
        """Go on behind the present token."""
        swallowed = self.kind == "text" and re.search(r"[()\[\]{}]", self.token) is not None
        self.unclosed = self.place if swallowed else None
        self.end = self.place + self.length
        self.look()

    def look(self) -> None:
        """Make the next token the present one; what is none is told when it is to be read, as it may be behind all."""
        skipped = _SKIPPED.match(self.text, self.end)
        self.place = self.end if skipped is None else skipped.end()
        match = _TOKEN.match(self.text, self.place)
        if match is not None and match.lastgroup is not None:
            self.kind, self.token, self.length = match.lastgroup, match[match.lastgroup], len(match[0])
        else:
            self.token = self.text[self.place : self.place + 1]
            self.kind, self.length = ("other" if self.token else "end"), len(self.token)


def _number(token: str, kind: str, place: int) -> int | float:
    digits = token.lstrip("+-")
    if len(digits) > (MOST_DIGITS if kind == "whole" else MOST_CHARACTERS_OF_FLOAT):
        raise Trouble(f"a number of {len(digits)} digits", place)
    if kind == "float":
        return float(token)
    if len(digits) > 1 and digits[0] == "0":
        raise Trouble(f"the number {token}, which begins with 0,", place)
    return int(token)


def _spread(value: Value, place: int) -> list[Value]:
    if isinstance(value.content, range) and len(value.content) <= MOST_LEVELS:
        return [Value(number, place) for number in value.content]
    if isinstance(value.content, list):
        return value.content
    raise Trouble("'*' before what is no list", place)


def _unquoted(token: str) -> str:
    inner = token[1:-1]
    if "\\" in inner and token[0] == '"':
        try:
            return str(json.loads(token))
        except ValueError:
            pass
    return re.sub(r"\\(.)", r"\1", inner)
