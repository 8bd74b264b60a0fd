"""A name can be anything: in a report it is text, whatever tags, quotes or addresses it is made of."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import result_factory as make
from test_report import entry, result

from nas.cli.main import run_command
from nas.commands import command_of
from nas.core.errors import InputError
from nas.core.io.files import write_json
from nas.results import RunResult, StudyResult
from nas.runs import repetitions, run_folder
from nas.settings import schema

HOSTILE = (
    "</script></style></title></svg>\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;{{1}} $\\frac$ _^%"
)
KEPT = {"correct", "attack", "metric", "space"}  # bits and words that the report computes with
NAMED = {"versions"}  # whose keys are names


def hostile(value: Any, key: str = "") -> Any:
    """`value` with `HOSTILE` after every name in it but those of metrics that the report computes with."""
    if isinstance(value, dict):
        suffix = HOSTILE if key in NAMED else ""
        return {k + suffix: hostile(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [hostile(v, key) for v in value]
    return value + HOSTILE if isinstance(value, str) and key not in KEPT else value


class Tags(HTMLParser):
    """Notes what a browser would run, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [tag] if tag in ("script", "img", "iframe", "object", "link", "base", "form") else []
        for name, value in attributes:
            outside = name in ("href", "src") and not (value or "").startswith(("#", "./"))
            self.found += [f"{tag} {name}"] if name.startswith("on") or outside else []


def runs_nothing(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.found == []
    assert "alert(1)" in page  # the name is there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chosen = schema.load("quickstart", [f"run.dir={tmp_path / 'run'}"])
    with run_folder.create("run", chosen) as made:
        made.store.put("training", {})
    return tmp_path / "run"


def test_the_report_of_a_run(folder: Path) -> None:
    content = hostile(result().to_json())
    for item in content["search"]["best"]:
        item["metrics"] = {f"croze{HOSTILE}": 1.0}
    runs_nothing(command_of(folder).report(folder, RunResult.from_json(content)).read_text())


def test_the_report_of_a_study(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "command": "study"})
    (folder / "config.json.sha256").unlink(missing_ok=True)
    models = [entry(name, "x") for name in ("best-pgd", "random-pgd")]
    together = repetitions.summarise([make.whole_run(models, seeds={"run": seed}) for seed in range(3)])
    content = {**replace(together, versions=make.VERSIONS).to_json(), "runs": ["javascript:alert(3)//", "b", "c"]}
    runs_nothing(command_of(folder).report(folder, StudyResult.from_json(hostile(content))).read_text())


@pytest.mark.parametrize("content", [{"models": [{"name": "x"}]}, {"best": 5}, {"models": 3}, {"search": []}])
def test_a_result_that_is_none_is_told(folder: Path, capfd: pytest.CaptureFixture[str], content: Any) -> None:
    write_json(folder / "result.json", content)
    assert run_command(["report", str(folder)]) == InputError.exit_code
    assert capfd.readouterr().err.count("\n") == 1
