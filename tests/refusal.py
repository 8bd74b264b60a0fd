"""The one line that refuses settings."""

from __future__ import annotations

import pytest

from nas.core.errors import InputError
from nas.settings.schema import load


def refusal(name: str, overrides: list[str]) -> str:
    """The message of the error that refuses overrides of a recipe or a file: it is one line."""
    with pytest.raises(InputError) as caught:
        load(name, overrides)
    text = str(caught.value)
    assert text
    assert len(text.splitlines()) == 1
    return text
