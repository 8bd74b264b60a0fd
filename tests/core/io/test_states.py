"""A message says in words why a saved state does not fit a network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nas.core.io.states import difference

OWN: dict[str, Any] = {"a.weight": torch.zeros(2, 3), "a.bias": torch.zeros(2), "version": 1}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({**OWN}, None),
        ({**OWN, "version": "another"}, None),  # values that are not tensors may differ
        ({**OWN, "a.weight": torch.ones(2, 3, dtype=torch.float16)}, None),
        ([1], "it holds a list"),
        (None, "it holds a NoneType"),
        (
            {"a.weight": OWN["a.weight"]},
            "a.bias is missing (2 of 3 keys are missing, 0 are unexpected)",
        ),
        (
            {**OWN, "b": 1, "c": 2},
            "'b' is not one of its keys (0 of 3 keys are missing, 2 are unexpected)",
        ),
        (
            {"a.bias": OWN["a.bias"], "version": 1, "b": 1},
            "a.weight is missing and 'b' is not one of its keys (1 of 3 keys are missing, 1 are unexpected)",
        ),
        ({**OWN, "a.bias": [0.0, 0.0]}, "a.bias is a list, not a tensor"),
        ({**OWN, "a.bias": torch.zeros(3)}, "a.bias has the shape (3,), but (2,) in this network"),
        ({**OWN, "a.weight": torch.zeros(3, 2)}, "a.weight has the shape (3, 2), but (2, 3) in this network"),
    ],
)
def test_the_difference_in_words(state: Any, words: str | None) -> None:
    assert difference(state, OWN) == words


def test_a_long_name_is_cut() -> None:
    found = difference({**OWN, "x" * 1000: 1}, OWN)
    assert found is not None
    assert len(found) < 300
