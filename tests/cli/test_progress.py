"""Progress where there is no terminal: whole numbers, and notes only where there are some."""

from __future__ import annotations

import pytest

from nas.cli import progress
from nas.cli.progress import Lines, StageLines
from nas.runs.stages.context import join_notes


@pytest.mark.parametrize(
    ("done", "total", "note", "said"),
    [
        (8.0, 120, "", "search: 8 of 120"),
        (8, 120, "best rho 0.5", "search: 8 of 120 (best rho 0.5)"),
        (0.0, 1, join_notes({"model": (0, 1, "")}), "search: 0 of 1"),
        (
            1.5,
            4,
            join_notes({"a": (1, 2, "loss 1"), "b": (2, 2, "loss 2"), "c": (0, 1, "")}),
            "search: 1 of 4, 38 % (a loss 1)",
        ),
    ],
)
def test_a_line(
    done: float, total: int, note: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", -1)
    monkeypatch.setattr(progress, "UNCHANGED_SECONDS", -1)
    lines = StageLines()
    lines.stage("search", total)
    lines.update(done, note)
    assert capfd.readouterr().err == f"search: {total} to do\n{said}\n"


def test_what_was_said_is_not_said_again(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", -1)
    lines = Lines("attack")
    for done, note in [(0, ""), (0, "a fgsm"), (0, "a fgsm"), (0.01, "a fgsm"), (0.01, "a fgsm"), (2, "")]:
        lines.update(done, 4, note)
    assert capfd.readouterr().err.splitlines() == [
        "attack: 0 of 4 (a fgsm)",
        "attack: 0 of 4, 0 % (a fgsm)",  # a four-hundredth is too little to estimate the time left
        "attack: 2 of 4, about 0 s left",
    ]
