"""Read an architecture that is a JSON object or a Python dict of numbers and lists, as in the files of benchmarks."""

from __future__ import annotations

import json
import re

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.literal import NotationError, Reader, Value, excerpt

MAX_CHARACTERS = 100_000  # a whole record with its training curves has about 10,000
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d\ufeff", "''\"\" ")  # the quotes of a printed page, a BOM


class RecordReader:
    """Reads one object of a text. The methods raise NotationError at the place of what is wrong.

    `within` is the key under which a whole record of a benchmark holds the object. Other text may stand beside the
    object, but no second one.
    """

    def __init__(self, text: str, keys: tuple[str, ...], within: str | None = None) -> None:
        inner = [] if within is None else list(re.finditer(rf"""['"]{within}['"]\s*:\s*\{{""", text))
        if len(inner) > 1:
            raise NotationError(f"{len(inner)} records, the second", inner[1].start())
        start = inner[0].end() - 1 if inner else text.find("{")
        if start < 0:
            raise NotationError("no '{'", 0)
        reader = Reader(text, start)
        value = reader.value()
        another = text.find("{", reader.end)
        if another >= 0 and not inner:
            raise NotationError("two objects, the second", another)
        self.fields: dict[str, Value] = value.content
        self.place = value.place
        for name, field in self.fields.items():
            if name not in keys and (near := suggest(name, list(keys))):
                raise NotationError(f"the unknown key {name[:40]!r}{near} with the value", field.place)

    def has(self, key: str) -> bool:
        return key in self.fields and self.fields[key].content not in (None, [])

    def field(self, key: str) -> Value:
        if key not in self.fields:
            raise NotationError(f"no {key!r} in the object", self.place)
        return self.fields[key]

    def integer(self, value: Value, what: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`; 4.0 counts as 4."""
        number = value.content
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if type(number) is not int or not low <= number <= high:
            raise NotationError(f"{_brief(value)} where {what} from {low} to {high} should be", value.place)
        return number

    def number(self, value: Value, what: str, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        number = value.content
        if type(number) not in (int, float) or not low <= number <= high:
            raise NotationError(f"{_brief(value)} where {what} from {low:g} to {high:g} should be", value.place)
        return float(number)

    def items(self, value: Value, what: str) -> list[Value]:
        """The items of a list; a range is a list too."""
        if isinstance(value.content, range) and len(value.content) <= MAX_CHARACTERS:
            return [Value(number, value.place) for number in value.content]
        if not isinstance(value.content, list):
            raise NotationError(f"{_brief(value)} where a list of {what} should be", value.place)
        return value.content


def plain_text(text: str, what: str, form: str) -> str:
    """`text` with straight quotes. Raises InputError if it is empty or too long."""
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"Expected {what} but got {len(text)} characters; give one of the form {form}.")
    plain = text.translate(_STRAIGHT)
    if not plain.strip("'\" \t\r\n"):
        raise InputError(f"Expected {what} but got an empty text; give one of the form {form}.")
    return plain


def unreadable(error: NotationError, text: str, what: str, form: str) -> InputError:
    """The error for the user: what was found instead, where, and what to write."""
    return InputError(
        f"Expected {what} but got {error.why} {excerpt(text, error.place)}; write it as {form}, in JSON or as a Python "
        "dict."
    )


def _brief(value: Value) -> str:
    try:
        text = json.dumps(value.plain)
    except (TypeError, ValueError):  # such as a range
        text = repr(value.plain)
    return text if len(text) <= 40 else f"{text[:37]}..."
