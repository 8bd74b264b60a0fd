"""What the tests of pages share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import result_factory as make_result
from matplotlib.figure import Figure
from result_factory import BEST, RANDOM
from whole_reports import RIGHT, Make, history

from nas.core.storage.base import TaskResult
from nas.runs import run_folder
from nas.settings import schema


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are put together but not rendered, which takes most of the time of a page."""

    def blank(figure: Figure, file: Any, **settings: Any) -> None:
        file.write('<svg viewBox="0 0 1 1"></svg>')

    monkeypatch.setattr(Figure, "savefig", blank)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a run folder with a small search and training history in its store."""

    def made(*overrides: str, command: str = "run", reason: str = "out of memory", extra: Any = None) -> Path:
        folder = tmp_path / "run"
        chosen = schema.load("quickstart", [f"run.dir={folder}", "seed=7", *overrides])
        with run_folder.create(command, chosen, extra) as opened:
            for number in range(12):
                failed = number in (3, 8)
                key, metrics = f"cell {number}", None if failed else {"croze": number * 7 % 20}
                opened.store.record(TaskResult(key, metrics, reason if failed else None, 1.0))
                opened.store.append_history(key)
            opened.store.put(
                "training",
                {
                    name: make_result.training_record(
                        history("pgd" in name), arch=BEST if "best" in name else RANDOM
                    ).to_json()
                    for name in RIGHT
                },
            )
        return folder

    return made
