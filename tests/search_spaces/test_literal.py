"""Values as Python and JSON print them: read as `ast.literal_eval` and `json` do, with their places, in linear time."""

from __future__ import annotations

import ast
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.search_spaces.literal import MAX_NESTING, NotationError, Reader, excerpt, known_spelling

ATOMS = st.none() | st.booleans() | st.integers(-(10**8), 10**8) | st.text(st.characters(codec="ascii"), max_size=6)
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def read(text: str) -> Any:
    return Reader(text).value().plain


@given(VALUES)
def test_json_is_read(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2)):
        assert read(text) == value


@given(st.recursive(ATOMS, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner), max_leaves=12))
def test_python_is_read_as_python_reads_it(value: Any) -> None:
    text = repr(value)
    if "\\x" not in text:  # escapes of letters are not needed here
        assert read(text.replace("\\n", " ").replace("\\t", " ").replace("\\r", " ")) == json.loads(
            json.dumps(ast.literal_eval(text.replace("\\n", " ").replace("\\t", " ").replace("\\r", " ")))
        )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(1)", 1),
        ("(1,)", [1]),
        ("()", []),
        ("[1, 2,]", [1, 2]),
        ("[1,  # one\n 2]", [1, 2]),
        ("u'a'", "a"),
        ("range(2, 6)", range(2, 6)),
        ("list(range(2, 6))", range(2, 6)),
        ("[*range(2, 6)]", [2, 3, 4, 5]),
        ("[np.int64(3), numpy.str_('a'), int32(-1)]", [3, "a", -1]),
        ("array([2, 3], dtype=int64)", None),
        ("tensor(4, device='cuda:0')", 4),
        ("[.5]", None),
        ("[0.5, 1e-3, 2.]", [0.5, 1e-3, 2.0]),
        ("range(2, 999999999)", range(2, 999999999)),
    ],
)
def test_what_numpy_and_python_print(text: str, value: Any) -> None:
    if value is None:
        with pytest.raises(NotationError):
            read(text)
    else:
        assert read(text) == value


@pytest.mark.parametrize(
    ("text", "why", "at"),
    [
        ("[*range(2, 100)]", "'*' before something that is not a list", 1),  # any range would be written out
        ("[1, interval(3)]", "a call of 'interval'", 4),
        ("[1, 2", "the end where ',' should be", 5),
        ("[1 2]", "'2' where ',' should be", 3),
        ("[1,, 2]", "',' where a value should be", 3),
        ("[a, 2]", "the word 'a'", 1),
        ("[open('a')]", "a call of 'open'", 1),
        ("[range(1, 2, 0)]", "a call of 'range'", 1),
        ("[07]", "begins with 0", 1),
        ("[1234567890]", "a number of 10 digits", 1),
        ("{'a': 1, 'a': 2}", "'a' a second time", 9),
        ("{1: 2}", "'1' where a key in quotes should be", 1),
        ("['a, (1), 2]", "a quote that is not closed", 1),
        ("['a, (1), 'b']", "a quote that is not closed", 1),
        ("[1_000]", "where a value should be", 1),
        ("[٣]", "where a value should be", 1),
        ("[lambda: 1]", "the word 'lambda'", 1),
        ("[" * (MAX_NESTING + 9), "levels of brackets", MAX_NESTING + 1),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, why: str, at: int) -> None:
    with pytest.raises(NotationError) as caught:
        read(text)
    assert why in caught.value.why
    assert caught.value.place == at


def test_nothing_behind_the_value_is_looked_at() -> None:
    reader = Reader("x = [1] §'(", 4)
    assert reader.value().plain == [1]
    assert reader.end == 7


PARTS = ["[", "(", "{'a':", "'", '"', "\\'", "f(", "-", "[*", "1,", "#", " ", "a.", "'a' ", "9"]


@pytest.mark.parametrize("part", PARTS)
def test_no_token_of_a_long_text_is_looked_at_twice(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that takes is told by `nas bench spaces`."""
    text = "[" + part * (200_000 // len(part))
    places: list[int] = []
    whole = Reader.look

    def looked(self: Reader) -> None:
        places.append(self.end)
        whole(self)

    monkeypatch.setattr(Reader, "look", looked)
    with pytest.raises(NotationError):
        read(text)
    assert all(one < other for one, other in pairwise(places))


def test_a_name_in_another_case_is_taken_where_it_is_one_alone() -> None:
    known = ("conv", "pool", "Pool", "skip")
    given = ("CONV", "Conv", "pool", "Pool", "POOL", "con")
    assert [known_spelling(name, known) for name in given] == ["conv", "conv", "pool", "Pool", "POOL", "con"]


def test_a_place_is_shown_with_what_is_around_it() -> None:
    text = "a" * 100 + "\n  X" + "b" * 100
    assert excerpt(text, 103) == f"at character 104, in `...{'a' * 27} X{'b' * 39}...`"
    assert excerpt("ab", 1) == "at character 2, in `ab`"


@pytest.mark.parametrize(
    ("longest", "longer", "words"),
    [
        ("[" * 41 + "]" * 41, "[" * 42 + "]" * 42, "more than 40 levels"),
        ("9" * 9, "9" * 10, "a number of 10 digits"),
        ("1." + "5" * 38, "1." + "5" * 39, "a number of 41 digits"),
        ("[*range(40)]", "[*range(41)]", "not a list"),
    ],
    ids=["levels", "digits", "float", "range"],
)
def test_limits_of_a_value(longest: str, longer: str, words: str) -> None:
    Reader(longest).value()
    with pytest.raises(NotationError, match=words):
        Reader(longer).value()
