"""A component declares which settings it reads; a subclass does not inherit this declaration."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import ClassVar

import pytest

from nas.core.config.conditions import Condition, chosen, conditions_of, either, may_read, readers


class Parent:
    reads: ClassVar[frozenset[str] | None] = frozenset({"steps"})
    conditions: ClassVar[dict[str, Condition]] = {"kappa": chosen("strategy", "acquisition", "ucb")}


class Derived(Parent):
    """A class of another package, which may read settings that its parent does not read."""


def test_a_list_of_keys_is_not_inherited() -> None:
    assert may_read(Parent, "steps")
    assert not may_read(Parent, "beta")
    assert may_read(Derived, "beta")
    assert readers({"parent": Parent, "derived": Derived}, "steps") == ["parent"]


def test_conditions_are_not_inherited() -> None:
    assert set(conditions_of(Parent)) == {"kappa"}
    assert not conditions_of(Derived)


def test_a_condition_says_what_it_takes() -> None:
    condition = conditions_of(Parent)["kappa"]
    assert condition.holds(SimpleNamespace(acquisition="ucb"))
    other = SimpleNamespace(acquisition="ei")
    assert not condition.holds(other, "a space")
    assert condition.why(other) == "with strategy.acquisition=ei (only with ucb)"
    named = chosen("train", "schedule", "step", "exponential")
    labelled = SimpleNamespace(schedule="cosine", section="label")
    assert named.why(labelled) == "with label.schedule=cosine (only with step or exponential)"


@pytest.mark.parametrize(
    ("words", "text"), [(["a"], "a"), (["a", "b"], "a or b"), ("abc", "a, b or c"), (dict.fromkeys("abc"), "a, b or c")]
)
def test_either(words: Iterable[str], text: str) -> None:
    assert either(words) == text
