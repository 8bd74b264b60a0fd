"""A message suggests the nearest known name, or nothing if no name is near."""

from __future__ import annotations

from nas.core.suggestions import suggest


def test_suggest_is_silent_where_nothing_is_near() -> None:
    assert suggest("epoch", ["epochs", "lr"]) == " (did you mean 'epochs'?)"
    assert suggest("qqq", ["epochs", "lr"]) == ""
    assert suggest("x", []) == ""


def test_capitals_and_hyphens_make_no_difference() -> None:
    assert suggest("linf", ["Linf", "L2"]) == " (did you mean 'Linf'?)"
    assert suggest("PGD-20", ["fgsm", "pgd20", "square"]) == " (did you mean 'pgd20'?)"
    assert suggest("rnas_max", ["RNAS-max", "rnas-max", "rnas-uniform"]) == " (did you mean 'RNAS-max'?)"
