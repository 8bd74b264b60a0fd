"""Search spaces for expensive tests: of a family that shares its code, quick tests take one member."""

from __future__ import annotations

from typing import Any

import pytest

from nas.search_spaces import SPACES

SIBLINGS: dict[str, str] = {  # a space → the member of its family that quick tests take in its place
    **dict.fromkeys(("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas"), "darts"),
    "nds-resnet": "nds-resnext-a",
    "nds-resnext-b": "nds-resnext-a",
    "transnas-macro": "transnas-micro",
}


def one_per_family() -> list[Any]:
    """The names of all spaces as parameters of a test; those of `SIBLINGS` are slow."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in SIBLINGS else name for name in SPACES.names()]
