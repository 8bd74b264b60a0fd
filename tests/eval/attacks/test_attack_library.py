"""What is said of the installed attack library, and what its attacks may return."""

from __future__ import annotations

import logging

import pytest

from nas.eval.attacks import library
from nas.eval.attacks.base import Attack
from nas.eval.attacks.passed import FromTorchattacks


def test_a_module_of_an_old_library_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(library, "_modules", lambda: frozenset({"autoattack"}))
    library._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, "nas"):
        assert library.ships("autoattack")
        assert library.ships("autoattack")
        assert not library.ships("pyautoattack")
    assert [record.getMessage() for record in caplog.records] == [
        "The package autoattack here comes with an old torchattacks, not from its authors, and is not used."
    ]
    library._say_once.cache_clear()


def test_what_an_attack_of_the_library_returns_may_lie_outside_the_ball() -> None:
    assert Attack.bounded
    assert not FromTorchattacks.bounded
