"""Change an input a little: at the level of bytes and, as most inputs are text, of words and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

ODD = (  # what readers trip over
    *(
        b"",
        b"0",
        b"-1",
        b"1e999",
        b"-0.0",
        b"NaN",
        b"nan",
        b"Infinity",
        b"-inf",
        b"9" * 30,
        b"9" * 5000,
        b"1" + b"0" * 400,
    ),
    *(
        b"null",
        b"~",
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"''",
        b"[" * 3000,
        b'{"a":' * 3000,
        b"(" * 3000,
        b"???",
        b"..",
        b"/",
    ),
    *(
        b"\x00",
        b"\\u0000",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        "\u202e\u00e9\U0001f600".encode(),
        b"\xed\xa0\x80",
        b"\\ud800",
    ),
    *(
        b"\x1b[31m",
        b"\x1b]0;title\x07",
        b"<script>",
        b"'\"&<>",
        b"[red]",
        b"%s%n",
        b"${name}",
        b"${oc.env:HOME}",
        b"*a",
        b"${" * 300,
    ),
    *(b"&a [*a]", b"!!python/object/apply:os.system [x]", b"2001-01-01", b"0x10", b"1_000", b"1:30", b"a" * 5000),
    *(
        b"\n",
        b"\r",
        b"\x0b",
        b"\x85",
        b"\xe2\x80\xa8",
        b",",
        b'"',
        b"'",
        b"|",
        b"~",
        b"+",
        b":",
        b"=",
        b"-",
        b"\t",
        b" ",
    ),
)
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\w\s]', re.DOTALL)


def mutated(random: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """`data` after one to five changes; `others` are inputs that pieces may come from."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        data = random.choice(_CHANGES)(random, data, others)
    return data


def _change_bytes(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data or b"\x00")
    for _ in range(random.choice((1, 1, 2, 4))):
        place = random.randrange(len(changed))
        changed[place] = random.choice((0, 1, 127, 128, 255, changed[place] ^ (1 << random.randrange(8))))
    return bytes(changed)


def _cut(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] if random.random() < 0.3 else data[:start] + data[end:]


def _repeat(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 50)) + data[end:]


def _insert(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    place = random.randint(0, len(data))
    return data[:place] + random.choice(ODD) + data[place:]


def _replace_token(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    tokens = [match.span() for match in TOKEN.finditer(data[:20_000])]
    if not tokens:
        return random.choice(ODD)
    start, end = random.choice(tokens)
    if random.random() < 0.4:
        other_start, other_end = random.choice(tokens)
        return data[:start] + data[other_start:other_end] + data[end:]
    return data[:start] + random.choice(ODD) + data[end:]


def _splice(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else data
    start, end = _span(random, other)
    place = random.randint(0, len(data))
    return data[:place] + other[start:end] + data[place:]


def _number(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Four bytes of a header, as a length that is too large."""
    if len(data) < 4:
        return data + b"\xff\xff\xff\x7f"
    place = random.randrange(len(data) - 3)
    value = random.choice((b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x01\x00\x00"))
    return data[:place] + value + data[place + 4 :]


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 2, 4, 16, 64, 256)))


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    _change_bytes, _cut, _repeat, _insert, _replace_token, _replace_token, _replace_token, _splice, _number,
)  # fmt: skip
