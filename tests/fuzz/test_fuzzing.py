"""What fuzzing takes for a finding, and its script."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import fuzz
import numpy as np
import pytest
from contract import LONGEST, Finding, Target, check

from nas.core.errors import InputError

TARGETS = fuzz.targets()


def reader(read: object) -> Target:
    return Target("mine", read, lambda: [b""])  # type: ignore[arg-type]


def test_an_endless_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.SECONDS", 0.2)

    def read(data: bytes) -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:  # a reader that takes every error for damage
                continue

    with pytest.raises(Finding, match="more than"):
        check(reader(read), b"")


def test_a_greedy_reader_is_found() -> None:
    with pytest.raises(MemoryError):
        check(reader(lambda data: np.ones(2**30, np.uint8)), b"")


def test_a_crash_is_found() -> None:
    with pytest.raises(KeyError):
        check(reader(lambda data: {}[data]), b"x")


@pytest.mark.parametrize("message", ["", "two\x85lines", "x" * (LONGEST + 1)])
def test_a_refusal_that_nobody_can_read_is_found(message: str) -> None:
    class Careless(InputError):
        def __str__(self) -> str:
            return message

    def read(data: bytes) -> None:
        raise Careless("x")

    with pytest.raises(Finding):
        check(reader(read), b"")


def test_the_script_names_its_targets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", "--list"])
    fuzz.main()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(TARGETS)


def test_the_script_says_how_to_get_the_fuzzer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["fuzz", "darts"])
    with pytest.raises(SystemExit) as ended:
        fuzz.main()
    assert ended.value.code == 2
    assert "pip install atheris" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed")
def test_the_script_fuzzes(tmp_path: Path) -> None:
    command = [sys.executable, fuzz.__file__, "darts", "--seconds", "3", "--found", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "number_of_executed_units" in done.stderr
    assert not list(tmp_path.iterdir())
