"""The code of docs/tutorials/python.md and the ten lines of Python in the README run as they stand."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nas
from nas import api
from nas.api.registering import REGISTRIES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorials/python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEEDS = {"optuna": "import optuna", "data": 'robustness="robustness-dataset"'}  # what not everybody has


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    for registry in REGISTRIES:
        registry.added.clear()
        vars(registry).pop("components", None)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def with_first(kind: str) -> tuple[str, dict[str, Any]]:
    """The block that needs something special, and what the first block of the page defines."""
    names: dict[str, Any] = {}
    exec(blocks(PAGE)[0], names)
    (block,) = [block for block in blocks(PAGE) if NEEDS[kind] in block]
    return block, names


@pytest.mark.landing
def test_the_code_of_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    for block in blocks(PAGE):
        if not any(needed in block for needed in NEEDS.values()):
            exec(block, names)
    assert list(names["first"].attacks) == ["pgd20"]
    assert not list(tmp_path.iterdir())  # nothing is left on disk


def test_the_optuna_study_of_the_page_runs() -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    block, names = with_first("optuna")
    exec(block, names)
    assert names["study"].best_value > 0


def test_the_published_table_of_the_page_is_read(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block, names = with_first("data")
    exec(block.replace('"robustness-dataset"', repr(str(data_dir / "robustness-dataset"))), names)
    assert "True" in capsys.readouterr().out


def test_the_page_names_every_function_of_the_face() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in dir(nas):
        if not name.startswith("_"):
            assert re.search(rf"`{name}`|nas\.{name}\b", text), name


def test_the_page_names_what_the_results_can_do() -> None:
    text = PAGE.read_text(encoding="utf-8")
    known = {"of", "from_json", "count", "index"}  # of records and of sequences
    for kind in (api.Scores, api.Found, api.Model, api.Report, api.ComparedReports, api.OpenSearch):
        things = {
            name: inspect.getattr_static(kind, name) for name in dir(kind) if name[0] != "_" and name not in known
        }
        names = [name for name, one in things.items() if inspect.isroutine(one) or hasattr(one, "__get__")]
        assert len(names) > 2
        assert [name for name in names if not re.search(rf"\b{name}\b", text)] == [], kind.__name__


@pytest.mark.landing
@pytest.mark.parametrize("smaller", [True, False])
def test_the_ten_lines_of_the_readme_run(smaller: bool, tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "README.md")
    assert len([line for line in block.splitlines() if line]) == 10
    for number, fewer in (("budget=20", "budget=3"), ("epochs=3", "epochs=1"), ("n_test=64", "n_test=8")):
        assert number in block
        block = block.replace(number, fewer) if smaller else block
    exec(block, {})
    assert os.listdir(tmp_path) == ["report.html"]
