"""Messages about the installed attack library, and which results of its attacks are accepted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nas.eval.attacks import library
from nas.eval.attacks.base import Attack
from nas.eval.attacks.from_torchattacks import FromTorchattacks


def test_a_module_of_an_old_library_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    about = tmp_path / "torchattacks-3.3.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: torchattacks\nVersion: 3.3.0\n")
    (about / "top_level.txt").write_text("autoattack\ntorchattacks\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with caplog.at_level(logging.WARNING, "nas"):
        assert library.ships("autoattack")
        assert library.ships("autoattack")
        assert not library.ships("pyautoattack")
    assert [record.getMessage() for record in caplog.records] == [
        "The package autoattack here comes with an old torchattacks, not from its authors, and is not used."
    ]


def test_what_an_attack_of_the_library_returns_may_lie_outside_the_ball() -> None:
    assert Attack.bounded
    assert not FromTorchattacks.bounded
