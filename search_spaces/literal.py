"""Read values in the notation of Python or JSON. Nothing is evaluated, and each value knows its place in the text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_NESTING = 40  # levels of brackets within brackets
MAX_DIGITS = 9  # in a whole number
MAX_FLOAT_CHARACTERS = 40
EXCERPT_BEFORE = 30  # characters of an excerpt before the place
EXCERPT_AFTER = 40

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
SCALAR_TYPE = re.compile(r"int|str|str_|u?int(8|16|32|64)|intp|float(16|32|64)?|tensor")  # np.int64(0) means 0
_SEQUENCES = ("list", "tuple", "array", "asarray")


def known_spelling(name: str, known: Sequence[str]) -> str:
    """`name` as `known` spells it, if exactly one member differs only in case; else `name` itself."""
    if name in known:
        return name
    alike = [member for member in known if member.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else name


class NotationError(Exception):
    """A text is not in the expected notation.

    `why` is a noun phrase that says what was found instead; `place` is where it begins, as a character counted from 0.
    """

    def __init__(self, why: str, place: int) -> None:
        super().__init__(why)
        self.why = why
        self.place = place


def excerpt(text: str, place: int) -> str:
    """Names a place in a text for an error message: the number of the character and the text around it."""
    start, end = max(0, place - EXCERPT_BEFORE), place + EXCERPT_AFTER
    part = " ".join(text[start:end].split())
    return f"at character {place + 1}, in `{'...' * (start > 0)}{part}{'...' * (end < len(text))}`"


@dataclass(frozen=True)
class Value:
    """A value that begins at `place`: text, number, bool, None, range, list (also for a tuple) or dict of values."""

    content: Any
    place: int

    @property
    def plain(self) -> Any:
        """The value as plain Python values, without places."""
        if isinstance(self.content, list):
            return [item.plain for item in self.content]
        if isinstance(self.content, dict):
            return {key: item.plain for key, item in self.content.items()}
        return self.content


class Reader:
    """Reads values from `text` one after the other, beginning at the character `start`, in time linear in the text.

    Every method that reads raises NotationError if the text continues with something else. `end` is the first character
    that has not been read.
    """

    def __init__(self, text: str, start: int = 0) -> None:
        self.text = text
        self.end = start
        self.unclosed: int | None = None  # where the last token begins if it is a text with brackets, see `_unexpected`
        self.look()

    def value(self, level: int = 0) -> Value:
        """The next value."""
        place, kind, token = self.place, self.kind, self.token
        if level > MAX_NESTING:
            raise NotationError(f"more than {MAX_NESTING} levels of brackets", place)
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
        raise self._unexpected("a value")

    def arguments(self, level: int = 0) -> tuple[list[Value], dict[str, Value]]:
        """The arguments of a call, positional and named, from its opening bracket to its closing one."""
        self._take("(")
        positional: list[Value] = []
        named: dict[str, Value] = {}
        while self.token != ")":
            place, word = self.place, self.token
            if _NAMED.match(self.text, place):
                self._advance()
                self._take("=")
                if word in named:
                    raise NotationError(f"{word[:40]!r} a second time", place)
                named[word] = self.value(level + 1)
            elif named:
                raise NotationError("an argument without a name after one with a name", place)
            else:
                positional.append(self.value(level + 1))
            if self.token != ")":
                self._take(",")
        self._advance()
        return positional, named

    def _items(self, closing: str, level: int) -> tuple[list[Value], bool]:
        """The items up to the closing bracket, and whether there is a comma between or after them."""
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
                raise self._unexpected("a key in quotes")
            key = _unquoted(self.token)
            self._advance()
            if key in entries:
                raise NotationError(f"{key[:40]!r} a second time", place)
            self._take(":")
            entries[key] = self.value(level + 1)
            if self.token != "}":
                self._take(",")
        self._advance()
        return entries

    def _named(self, name: str, place: int, level: int) -> Value:
        """A constant, or the value of a call such as range(2, 6), list(range(2, 6)) or np.int64(0)."""
        if self.token != "(":
            if name in _CONSTANTS:
                return Value(_CONSTANTS[name], place)
            if name in _NOT_FINITE:
                return Value(float(name), place)
            raise NotationError(f"the word {name[:40]!r}", place)
        positional, _ = self.arguments(level + 1)
        last = name.rpartition(".")[2]
        given = [argument.content for argument in positional]
        kinds = [type(content) for content in given]
        if last in ("range", "arange") and kinds in ([int], [int] * 2, [int] * 3) and given[2:] != [0]:
            return Value(range(*given), place)
        if kinds in ([list], [range]) and last in _SEQUENCES:
            return Value(given[0], place)
        if kinds in ([int], [float], [str]) and SCALAR_TYPE.fullmatch(last):
            return Value(given[0], place)
        raise NotationError(f"a call of {name[:40]!r}", place)

    def _take(self, sign: str) -> None:
        if self.token != sign:
            raise self._unexpected(repr(sign))
        self._advance()

    def _unexpected(self, wanted: str) -> NotationError:
        """The error for a token that is not the `wanted` one.

        If the text before it contains brackets, the text probably begins at a quote that was not closed.
        """
        if self.unclosed is not None or self.token in ("'", '"'):
            return NotationError("a quote that is not closed", self.place if self.unclosed is None else self.unclosed)
        found = "the end" if self.kind == "end" else repr(self.token[:40])
        return NotationError(f"{found} where {wanted} should be", self.place)

    def _advance(self) -> None:
        """Go on to the next token."""
        swallowed = self.kind == "text" and re.search(r"[()\[\]{}]", self.token) is not None
        self.unclosed = self.place if swallowed else None
        self.end = self.place + self.length
        self.look()

    def look(self) -> None:
        """Find the next token. Text that is no token is an error only if it is read: it may follow the last value."""
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
    if len(digits) > (MAX_DIGITS if kind == "whole" else MAX_FLOAT_CHARACTERS):
        raise NotationError(f"a number of {len(digits)} digits", place)
    if kind == "float":
        return float(token)
    if len(digits) > 1 and digits[0] == "0":
        raise NotationError(f"the number {token}, which begins with 0,", place)
    return int(token)


def _spread(value: Value, place: int) -> list[Value]:
    if isinstance(value.content, range) and len(value.content) <= MAX_NESTING:
        return [Value(number, place) for number in value.content]
    if isinstance(value.content, list):
        return value.content
    raise NotationError("'*' before something that is not a list", place)


def _unquoted(token: str) -> str:
    inner = token[1:-1]
    if "\\" in inner and token[0] == '"':
        try:
            return str(json.loads(token))
        except ValueError:
            pass
    return re.sub(r"\\(.)", r"\1", inner)
