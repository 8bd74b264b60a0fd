"""How a call does the work of a command: what it shows, what it leaves behind, how soon it begins."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nas
from nas.core.errors import RESUME_WITH_ONE_WORKER, ResourceError

SMALL = {"model.channels": 4, "model.cells_per_stage": 1, "data.size": 8}
SMALL_SCORES = {"scoring.channels": 4, "scoring.cells_per_stage": 1, "data.size": 8}
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"

IMAGES = np.arange(768, dtype=np.uint8).reshape(4, 8, 8, 3), np.arange(4)
NETWORK = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10))

CALLS: dict[str, Callable[..., Any]] = {
    "score": lambda **more: nas.score([CELL], proxies="synflow", settings=SMALL_SCORES, **more),
    "search": lambda **more: nas.search(objective="params:min", strategy="random", budget=4, **more),
    "evaluate": lambda **more: nas.evaluate(NETWORK, data=IMAGES, attacks=["fgsm", "pgd20"], eps=0.1, **more),
    "train_model": lambda **more: nas.train_model(CELL, epochs=1, settings=SMALL, **more),
}
STAGES = {"score": ("score", 1), "search": ("search", 4), "evaluate": ("attack", 1), "train_model": ("train", 1)}


@pytest.mark.parametrize("verb", CALLS)
def test_progress_calls_a_function(verb: str) -> None:
    told: list[tuple[float, float, str]] = []
    CALLS[verb](progress=lambda *given: told.append(given))
    name, total = STAGES[verb]
    assert told[0] == (0, total, name)
    assert told[-1][:2] == (total, total)
    assert all(0 <= done <= total for done, *_ in told)


@pytest.mark.parametrize("verb", CALLS)
def test_progress_is_shown_on_standard_error(verb: str, capfd: pytest.CaptureFixture[str]) -> None:
    CALLS[verb](progress=True)
    shown = capfd.readouterr()
    name, total = STAGES[verb]
    assert f"{name}: {total} to do" in shown.err
    assert not shown.out
    CALLS[verb]()
    assert capfd.readouterr() == ("", "")


def test_progress_is_shown_in_a_notebook(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook has a `sys.stderr` of its own, which is no terminal and has no file descriptor."""

    class Cell:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            pass

    cell = Cell()
    monkeypatch.setattr("sys.stderr", cell)
    CALLS["search"](progress=True)
    assert "search: 4 to do" in cell.text


@pytest.mark.parametrize("verb", CALLS)
def test_nothing_is_left_on_disk(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in ("current", "temporary", "home")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.chdir(folders[0])
    monkeypatch.setattr(tempfile, "tempdir", str(folders[1]))
    monkeypatch.setenv("HOME", str(folders[2]))
    result = CALLS[verb]()
    assert repr(result)
    assert result.settings["run"]["dir"] is None
    assert [list(folder.iterdir()) for folder in folders] == [[], [], []]


def test_a_failed_call_leaves_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def failing(arch: object) -> float:
        raise ValueError("of mine")

    with pytest.raises(ValueError, match="of mine"):
        nas.search(objective=failing, budget=2)
    assert list(tmp_path.iterdir()) == []


def test_torch_need_not_import_its_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does so when deterministic kernels are set, which takes seconds."""
    monkeypatch.setattr(torch, "use_deterministic_algorithms", None)
    CALLS["search"]()


def test_scores_advise_no_run_to_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ResourceError(f"The machine ran out of a resource (no memory); {RESUME_WITH_ONE_WORKER}.")

    monkeypatch.setattr("nas.api.scoring.score_all", fail)
    with pytest.raises(ResourceError, match=r"\(no memory\); call it again with workers=1\.$"):
        nas.score([CELL], proxies="synflow", settings=SMALL_SCORES)
