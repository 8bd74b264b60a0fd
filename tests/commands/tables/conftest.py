"""What all commands on tables do with input that the user can mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nas.cli.main import run_command


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Path, list[str], str], None]:
    """A command in a folder ends with code 2 and one line that holds the words; it prints and writes nothing else."""

    def check(folder: Path, arguments: list[str], words: str) -> None:
        monkeypatch.chdir(folder)
        before = sorted(folder.rglob("*"))
        assert run_command(arguments) == 2
        printed = capfd.readouterr()
        assert words in printed.err
        assert len(printed.err.strip().splitlines()) == 1, printed.err
        assert printed.out == ""
        assert sorted(folder.rglob("*")) == before

    return check
