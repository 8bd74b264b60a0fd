"""Search spaces for expensive tests: of a family that shares its code, quick tests take one member."""

from __future__ import annotations

from typing import Any

from slowly import slow_but

from nas.search_spaces import SPACES

SIBLINGS: dict[str, str] = {  # a space → the member of its family that quick tests take in its place
    **dict.fromkeys(("nds-amoeba", "nds-darts", "nds-enas", "nds-nasnet", "nds-pnas"), "darts"),
    "nds-resnet": "nds-resnext-a",
    "nds-resnext-b": "nds-resnext-a",
    "transnas-macro": "transnas-micro",
}


def one_of_all() -> list[Any]:
    """The names of all spaces as parameters of a test; all but NAS-Bench-201 are slow."""
    return slow_but(SPACES.names(), {"nasbench201"})


def one_per_family() -> list[Any]:
    """The names of all spaces as parameters of a test; those of `SIBLINGS` are slow."""
    return slow_but(SPACES.names(), set(SPACES.names()) - set(SIBLINGS))
