"""A message proposes the nearest known name, and nothing where none is near."""

from __future__ import annotations

from nas.core.suggestions import suggest


def test_suggest_is_silent_where_nothing_is_near() -> None:
    assert suggest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert suggest("qqq", ["epochs", "lr"]) == ""
    assert suggest("x", []) == ""
