"""The limits that a section checks: the last allowed value, the first one that is refused, and the message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from nas.core.config import Section
from nas.core.errors import InputError


@dataclass
class Kiln(Section):
    section: ClassVar[str] = "kiln"

    heat: float = 1.0
    pots: int = 1
    share: float | None = None
    fuel: str = "gas"

    def check(self) -> None:
        self.check_positive("heat")
        self.check_at_least_one("pots")
        self.check_between({"share": (0, 0.5)})
        self.check_choices({"fuel": ("gas", "wood")})


@pytest.mark.parametrize(
    ("key", "allowed", "refused", "said"),
    [
        ("heat", [1e-9, 999_999.9], [0.0, -1.0, 1e6], "kiln.heat > 0 and < 1,000,000 but got {}."),
        ("pots", [1, 2_000_000], [0], "kiln.pots >= 1 but got {}."),
        ("share", [None, 0.0, 0.5], [-0.1, 0.6], "kiln.share between 0 and 0.5 but got {}."),
        ("fuel", ["gas", "wood"], ["Gas", ""], "kiln.fuel to be gas or wood but got {!r}."),
    ],
)
def test_limits(key: str, allowed: list[Any], refused: list[Any], said: str) -> None:
    for value in allowed:
        Kiln(**{key: value}).check()
    for value in refused:
        with pytest.raises(InputError) as caught:
            Kiln(**{key: value}).check()
        assert str(caught.value) == "Expected " + said.format(value)
