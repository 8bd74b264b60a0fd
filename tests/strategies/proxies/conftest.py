"""What the tests of proxies share: the spaces on which a proxy is compared with its literal reference."""

from __future__ import annotations

import pytest

from nas.search_spaces import SPACES, SearchSpace

REFERENCE = ("nasbench201", "darts")  # shallow enough for Hessians in full and for float32 near float64
RELEASED_FOR = {"croze_official": REFERENCE}  # `test_croze_official` has the refusal of other spaces
WITHOUT_VALUE = dict.fromkeys(
    ("transnas-macro", "transnas-micro"), ("jacov", "epe_nas", "ntk_cond")
)  # their logits add up to a constant


@pytest.fixture(params=REFERENCE)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    """A space of shallow networks; the contract of proxies takes a space of every family in its place."""
    return SPACES.get(request.param)()


@pytest.fixture(autouse=True)
def _spaces_of_the_release(request: pytest.FixtureRequest) -> None:
    if "name" in request.fixturenames and "space" in request.fixturenames:
        name, space = request.getfixturevalue("name"), request.getfixturevalue("space").name
        if space not in RELEASED_FOR.get(name, (space,)) or name in WITHOUT_VALUE.get(space, ()):
            pytest.skip(f"{name} has no value for networks of {space}")
