"""What counts as a finding of fuzzing, and the script."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import fuzz
import numpy as np
import pytest
from contract import MAX_MESSAGE_LENGTH, Finding, Target, check

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
            except Exception:  # a reader that takes every error for a damaged file
                continue

    with pytest.raises(Finding, match="more than"):
        check(reader(read), b"")


def test_a_greedy_reader_is_found() -> None:
    with pytest.raises(MemoryError):
        check(reader(lambda data: np.ones(2**30, np.uint8)), b"")


def test_a_crash_is_found() -> None:
    with pytest.raises(KeyError):
        check(reader(lambda data: {}[data]), b"x")


@pytest.mark.parametrize("message", ["", "two\x85lines", "x" * (MAX_MESSAGE_LENGTH + 1)])
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


def test_a_finding_is_given_back_with_its_error_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def read(data: bytes) -> None:
        if b"x" in data:
            raise KeyError(data)

    assert fuzz.fuzz(Target("mine", read, lambda: [b"a word and x"]), 200, 0) == b"a word and x"
    assert "KeyError" in capsys.readouterr().err
    assert fuzz.fuzz(Target("mine", lambda data: None, lambda: [b"a"]), 20, 0) is None


def test_a_seed_that_is_refused_is_an_error() -> None:
    def read(data: bytes) -> None:
        raise InputError("Expected something else.")

    with pytest.raises(AssertionError, match="refused the seed"):
        fuzz.warm(reader(read))


def test_the_script_keeps_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes) -> None:
        if data != b"good":
            raise KeyError(data)

    target = Target("mine", read, lambda: [b"good"])
    monkeypatch.setattr(fuzz, "targets", lambda: {"mine": target, "other": reader(lambda data: None)})
    monkeypatch.setattr(sys, "argv", ["fuzz", "--seconds", "0", "--found", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        fuzz.main()
    assert ended.value.code == 1
    assert logging.getLogger("nas").isEnabledFor(logging.WARNING)  # later tests look at what is logged
    assert [path.name for path in tmp_path.iterdir()] == ["found-mine"]
    with pytest.raises(KeyError):
        check(target, (tmp_path / "found-mine").read_bytes())


@pytest.mark.slow
def test_the_script_runs_on_its_own(tmp_path: Path) -> None:
    command = [sys.executable, fuzz.__file__, "table-scores-csv", "--seconds", "0", "--found", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 × 200 inputs: nothing found" in done.stdout
    assert not list(tmp_path.glob("found*"))  # hypothesis may keep a folder of its own
