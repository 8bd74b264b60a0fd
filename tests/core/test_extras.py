"""An optional package that is missing is named, with the command that installs it."""

from __future__ import annotations

import sys

import pytest

from nas.core.errors import InputError
from nas.core.extras import optional


def test_what_is_there_is_imported() -> None:
    assert optional("json.decoder", "export") is sys.modules["json.decoder"]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"package onnx .*pip install 'robust-nas\[export\]'"):
        optional("onnx", "export")
