"""Parameters of a test, of which the quick suite takes a few."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def slow_but(
    values: Iterable[Any], quick: Collection[Any], marker: pytest.MarkDecorator = pytest.mark.slow
) -> list[Any]:
    """All `values` as parameters; those that are not in `quick` have the `marker`."""
    parameters = list(values)
    assert all(one in parameters for one in quick)
    return [one if one in quick else pytest.param(*several(one), marks=marker) for one in parameters]
