"""The folder of a call without `run=`: errors do not speak of a run that is gone."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import nas
from nas.api.run_files import RunFiles, without_run, working_folder
from nas.core.errors import InputError, NasError, ResourceError
from nas.core.execution import executor
from nas.core.io.files import DamagedError, os_errors_as_input_errors
from nas.core.reasons import failures_in_words

ROOT = Path(nas.__file__).parent
GONE = Path("/tmp/nas-xyz")  # the folder of a run that is gone


def _texts() -> Iterator[str]:
    """Every message of the project that names `nas resume`, with names instead of values."""
    for file in ROOT.rglob("*.py"):
        if "api" in file.parts or "cli" in file.parts:
            continue
        tree = ast.parse(file.read_text())
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                values = [one.value if isinstance(one, ast.Constant) else f"{GONE}/run" for one in node.values]
                text = "".join(values if isinstance(node.values[0], ast.Constant) else ["A part failed.", *values[1:]])
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = "" if id(node) in parts | documented else node.value
            else:
                continue
            if "nas resume" in text:
                text = f"A part failed; {text}." if text.startswith("continue with") else text  # the end of a message
                yield " ".join(text.split())


def test_no_message_of_a_run_that_is_gone_speaks_of_resuming() -> None:
    texts = [text for text in _texts() if not text.startswith(("Expected torchrun", "`"))]
    assert len(texts) > 8
    for text in texts:
        shorter = without_run(text, GONE)
        assert "resume" not in shorter, text
        assert str(GONE) not in shorter, text
        assert len(shorter) > 10, text
        assert re.search(r"[\w)]\.$", shorter), text
        assert ".." not in shorter, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"Expected room for {GONE}/run/a.pt but the disk is full; free some space and continue with `nas resume`.",
            "Expected room for a temporary folder but the disk is full; free some space.",
        ),
        (failures_in_words([("best", "no memory.")], GONE), "best: no memory."),
        ("Three workers were killed; continue with `nas resume RUN executor.workers=1`.", "Three workers were killed."),
        (f"Expected a file but {GONE}/run is none.", "Expected a file but a temporary folder is none."),
        ("Expected eps of 0 or more but got -1.", "Expected eps of 0 or more but got -1."),
    ],
)
def test_messages(text: str, expected: str) -> None:
    assert without_run(text, GONE) == expected


@pytest.mark.parametrize("kind", [InputError, ResourceError, NasError, DamagedError])
def test_an_error_keeps_its_kind(kind: type[NasError]) -> None:
    with pytest.raises(kind, match=r"^No memory\.$") as caught, working_folder(None):
        raise kind("No memory; continue with `nas resume RUN`.")
    assert type(caught.value) is kind
    with pytest.raises(kind, match="`nas resume RUN`"), working_folder("kept"):
        raise kind("No memory; continue with `nas resume RUN`.")


def test_a_full_disk_is_told_without_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InputError) as caught, working_folder(None) as (folder, _), os_errors_as_input_errors(folder):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == "Expected room for a temporary folder but the disk is full; free some space."
    assert list(tmp_path.iterdir()) == []


def test_a_shortage_of_memory_in_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "is_shortage", lambda error: True)

    def hungry(arch: object) -> float:
        raise MemoryError("no room")

    with pytest.raises(NasError) as caught:
        nas.search(objective=hungry, budget=2)
    assert "resume" not in str(caught.value)


def test_files_of_a_temporary_run_are_there_when_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "models/best").mkdir(parents=True)
    for name in ("config.json", "models/best/best.pt", "store.sqlite"):
        (tmp_path / name).write_text(name)
    files = RunFiles.of(tmp_path, temporary=True)
    with files.on_disk() as folder:
        assert folder != tmp_path
        assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == [
            "config.json",
            "models/best/best.pt",
        ]
    assert not folder.exists()
    with RunFiles.of(tmp_path, temporary=False).on_disk() as folder:
        assert folder == tmp_path
