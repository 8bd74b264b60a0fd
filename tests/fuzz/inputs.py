"""Inputs for a target: good ones that were changed in a few places, and arbitrary bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st

ODD = (  # on which readers often fail
    *(b"", b"0", b"-1", b"1e999", b"-0.0", b"NaN", b"nan", b"Infinity", b"-inf", b"9" * 30, b"9" * 5000),
    *(b"1" + b"0" * 400, b"2001-01-01", b"0x10", b"1_000", b"1:30", b"a" * 5000, b"???", b"..", b"/"),
    *(b"null", b"~", b"true", b"[]", b"{}", b'""', b"''", b"[" * 3000, b'{"a":' * 3000, b"(" * 3000),
    *(b"\x00", b"\\u0000", b"\xff\xfe", b"\xef\xbb\xbf", "\u202e\u00e9\U0001f600".encode(), b"\xed\xa0\x80"),
    *(b"\\ud800", b"\x1b[31m", b"\x1b]0;title\x07", b"<script>", b"'\"&<>", b"[red]", b"%s%n"),
    *(b"${name}", b"${oc.env:HOME}", b"*a", b"${" * 300, b"&a [*a]", b"!!python/object/apply:os.system [x]"),
    *(b"\n", b"\r", b"\x0b", b"\x85", b"\xe2\x80\xa8", b",", b'"', b"'", b"|", b"+", b":", b"=", b"-", b"\t", b" "),
    *(b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x01\x00\x00"),  # lengths in a header
)
WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|[\w.+-]+|[^\w\s]', re.DOTALL)
WHOLE = 10**9  # bytes, more than any input has

_changes = st.sampled_from((1, 1, 1, 2, 2, 3, 5))
_kinds = st.sampled_from(("word", "word", "word", "bytes", "bytes", "repeat", "splice", "splice"))
_lengths = st.sampled_from((0, 0, 1, 1, 2, 4, 4, 16, 64, 256, WHOLE))
_odd = st.sampled_from(ODD)
_few = st.one_of(_odd, st.binary(max_size=4))
_times = st.sampled_from((0, 2, 3, 50))


@st.composite
def changed(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A seed in which one to five parts are replaced: words of a text, or any bytes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(_changes)):
        kind = draw(_kinds)
        words = [match.span() for match in WORD.finditer(data[:20_000])]
        if kind == "word" and words:
            start, end = words[draw(st.integers(0, len(words) - 1))]
            other = draw(st.integers(-len(words), len(words) - 1))  # half the time another word of the input
            new = draw(_odd) if other < 0 else data[slice(*words[other])]
        else:
            start = draw(st.integers(0, len(data)))
            end = start + draw(_lengths)
            if kind == "repeat":
                new = data[start:end] * draw(_times)
            elif kind == "splice":
                source = draw(st.sampled_from(seeds))
                at = draw(st.integers(0, len(source)))
                new = source[at : at + draw(_lengths)]
            else:
                new = draw(_few)
        data = data[:start] + new + data[end:]
    return data


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Inputs, of which three in five are changed seeds and the others are arbitrary."""
    text = st.text(max_size=50).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(*[changed(seeds)] * 3, st.binary(max_size=100), text)
