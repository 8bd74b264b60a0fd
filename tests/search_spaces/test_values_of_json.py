"""An architecture that is read as a value of JSON is that of the value's text, also where the value is unusual."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from nas.core.errors import InputError
from nas.search_spaces import SPACES, SearchSpace

READ_BY_VALUE = ("nds-amoeba", "nds-darts", "nds-resnet", "nds-resnext-a", "nasbench-mr")


def changed(value: Any) -> Iterator[Any]:
    """Copies of the value with one place changed: without it, doubled, or of another type."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        for other in (True, 1.0, None, value[key], *changed(value[key])):
            copied = copy.deepcopy(value)
            copied[key] = other
            yield copied
        without = copy.deepcopy(value)
        del without[key]
        yield without
    if isinstance(value, dict):
        yield {**value, "more": 1}
        yield dict(reversed(value.items()))
    elif value and isinstance(value, list):
        yield [*value, value[-1]]


def outcome(space: SearchSpace[Any], given: Any) -> str:
    try:
        return str(space.parse(given) if isinstance(given, str) else space.parse_json(given))
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("name", READ_BY_VALUE)
def test_a_value_is_read_like_its_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    space = SPACES.get(name)()
    for arch in space.draw(20, seed=5):
        value = json.loads(str(arch))
        with monkeypatch.context() as without:
            without.delattr(SearchSpace, "parse_json")  # which goes by way of the text, and is slow
            assert space.parse_json(value) == arch
    for other in list(changed(value))[::7]:
        assert outcome(space, other) == outcome(space, json.dumps(other))


@pytest.mark.parametrize("name", ["nasbench201", "darts", "transnas-macro"])
def test_a_text_is_read_as_it_is(name: str) -> None:
    space = SPACES.get(name)()
    assert space.parse_json(str(space.largest())) == space.largest()
    for value in (None, ["x"], {"net": 1}):
        with pytest.raises(InputError):
            space.parse_json(value)
