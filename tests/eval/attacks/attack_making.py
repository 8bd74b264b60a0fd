"""Make attacks from their names, for tests."""

from __future__ import annotations

from typing import Any

import pytest

from nas.eval import ATTACKS, Attack
from nas.eval.attacks import parse_attack

SHORT = {"apgd-ce": "apgd-ce5", "apgd-dlr": "apgd-dlr5", "fab": "fab5", "square": "square100"}  # to save time


def needs_library(name: str) -> None:
    if name.startswith(("cw", "torchattacks:")):
        pytest.importorskip("torchattacks", reason="torchattacks, which this attack is of, is not installed")


def attack_of(text: str, eps: float, **more: Any) -> Attack:
    kind, said = parse_attack(ATTACKS, text)
    return kind(eps, **more, **said)
