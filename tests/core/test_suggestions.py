"""A message suggests the nearest known name, or nothing if no name is near."""

from __future__ import annotations

from nas.core.suggestions import suggest


def test_suggest_is_silent_where_nothing_is_near() -> None:
    assert suggest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert suggest("qqq", ["epochs", "lr"]) == ""
    assert suggest("x", []) == ""
