"""Results in Python: kept runs are opened as what the call gave, and results can be copied, pickled and shown."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import result_factory as make_result
import torch

import nas
from nas.api.results import EproxySetting, Found, Model, RepeatedRun, Report, Scores, Transfer, WholeRun
from nas.api.run_outcome import RunOutcome
from nas.core.errors import InputError
from nas.results import EvalResult, Result, SearchResult, TrainResult
from nas.runs import run_folder
from nas.runs.repetitions import summarise
from nas.settings import schema

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SMALL = {"model.channels": 4, "model.cells_per_stage": 1, "data.size": 8}
RIGHT = {"clean": "1110", "fgsm": "1100"}

CALLS: dict[str, Callable[[Path | None], Any]] = {
    "search": lambda run: nas.search(objective="params:min", strategy="random", budget=4, run=run),
    "train": lambda run: nas.train_model(CELL, epochs=1, settings=SMALL, run=run),
    "evaluate": lambda run: nas.evaluate(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10)),
        data=(np.zeros((16, 8, 8, 3), dtype=np.uint8), np.arange(16) % 10),
        attacks=["fgsm", "pgd3"],
        eps=0.1,
        run=run,
    ),
    "score": lambda run: nas.score([CELL], proxies="params", run=run),
}
TYPES: dict[str, tuple[type, type]] = {
    "search": (Found, SearchResult),
    "train": (Model, TrainResult),
    "evaluate": (Report, EvalResult),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("kept")
    return {name: call(folder / name) for name, call in CALLS.items()}


@pytest.fixture(scope="module")
def gone() -> dict[str, Any]:
    return {name: call(None) for name, call in CALLS.items()}


@pytest.mark.parametrize("name", TYPES)
def test_an_opened_run_is_what_the_call_gave(name: str, kept: dict[str, Any], tmp_path: Path) -> None:
    given, opened = kept[name], nas.open_run(kept[name].run)
    kind, result = TYPES[name]
    assert type(given) is type(opened) is kind
    assert isinstance(given, result)
    assert opened == given
    assert opened.settings == given.settings
    assert opened.run == given.run == nas.open_run(str(given.run)).run
    assert opened.save_page(tmp_path / "a.html").read_bytes() == given.save_page(tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("name", TYPES)
def test_the_page_is_that_of_the_command(name: str, kept: dict[str, Any], tmp_path: Path) -> None:
    from nas.cli.main import run_command

    folder = tmp_path / "run"
    shutil.copytree(kept[name].run, folder)
    assert run_command(["report", str(folder)]) == 0
    page = nas.open_run(folder).save_page(tmp_path / "of/mine.html")
    assert page.read_bytes() == (folder / "report.html").read_bytes()


def test_an_opened_training_has_its_network_and_history(kept: dict[str, Any]) -> None:
    opened = nas.open_run(kept["train"].run)
    assert opened.history == kept["train"].history
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(opened.network(images), kept["train"].network(images))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("how", ["pickled", "copied", "deeply copied"])
def test_results_can_be_pickled_and_copied(name: str, how: str, gone: dict[str, Any], tmp_path: Path) -> None:
    ways: dict[str, Callable[[Any], Any]] = {
        "pickled": lambda value: pickle.loads(pickle.dumps(value)),
        "copied": copy.copy,
        "deeply copied": copy.deepcopy,
    }
    given = gone[name]
    again = ways[how](given)
    assert type(again) is type(given)
    assert again == given
    assert again.settings == given.settings
    assert repr(again) == repr(given)
    if isinstance(again, RunOutcome):
        assert again.run is None
        assert again.save_page(tmp_path / "page.html").read_bytes().startswith(b"<!DOCTYPE html>")
    if isinstance(again, Model):
        again.save(tmp_path / "mine.pt")
        images = torch.rand(2, 3, 8, 8)
        assert torch.equal(nas.load(tmp_path / "mine.pt")(images), given.network(images))


@pytest.mark.parametrize("name", CALLS)
def test_results_are_shown_in_short(name: str, gone: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    result = gone[name]
    assert repr(result).startswith(f"<{type(result).__name__}: ")
    assert len(repr(result)) < 250
    html = result._repr_html_()
    assert html.startswith(f"<p>{type(result).__name__}: ")
    rows = result._rows()
    assert html.count("<tr>") == 1 + len(rows)
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert json.loads(json.dumps(result.to_json())) is not None
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    assert result.to_frame() == rows
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"Expected pandas for to_frame\(\) but it is not installed"):
        result.to_frame()


def test_a_proxy_without_a_value_is_an_empty_cell() -> None:
    rows = [nas.results.ScoreRow("a", "a", {"croze": 2.0}, 0.0), nas.results.ScoreRow("b", "b", {}, 0.0, "no memory")]
    scores = Scores(rows, {}, ["croze"])
    assert repr(scores) == "<Scores: 2 architectures by croze, 1 with a reason for a missing value>"
    assert scores.values("croze") == [2.0, None]
    with pytest.raises(InputError, match=r"computed \(croze\) but got 'croz' \(did you mean 'croze'\?\)"):
        scores.values("croz")
    assert scores._repr_html_().endswith("<tr><td>b</td><td></td><td>no memory</td></tr></tbody></table>")


def test_long_tables_are_cut_and_names_are_escaped() -> None:
    rows = [nas.results.ScoreRow(f"<b>{number}</b>", "", {"<i>": 1 / 3}, 0.0) for number in range(25)]
    html = Scores(rows, {}, ["<i>"])._repr_html_()
    assert html.count("<tr>") == 21
    assert "and 5 more rows" in html
    assert "&lt;b&gt;0&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "0.333333" in html


WHOLE = [make_result.evaluation(RIGHT, name=f"{name}-pgd") for name in ("best", "random")]
OTHERS: dict[str, tuple[type, Result]] = {
    "run": (WholeRun, make_result.whole_run(WHOLE)),
    "study": (RepeatedRun, summarise([make_result.whole_run(WHOLE, seeds={"run": seed}) for seed in (0, 1)])),
    "transfer": (Transfer, make_result.transferred()),
    "dps": (EproxySetting, make_result.discrete_search()),
}


@pytest.mark.parametrize("command", OTHERS)
def test_runs_of_other_commands_are_opened(command: str, tmp_path: Path) -> None:
    kind, result = OTHERS[command]
    chosen = schema.load("quickstart", [f"run.dir={tmp_path / 'run'}"])
    extra = {"networks": {}, "name": "a", "checkpoint": "a.pt", "labels": "labels.csv"}
    with run_folder.create(command, chosen, extra) as opened:
        written = opened.finish(result)
    found = nas.open_run(tmp_path / "run")
    assert isinstance(found, kind)
    assert found.to_json() == written.to_json()
    assert len(repr(found)) < 600
    assert found._repr_html_().count("<tr>") == {"transfer": 5, "dps": 4}.get(command, 3)
    assert found.settings["name"] == "quickstart"
    assert "<!DOCTYPE html>" in found.save_page(tmp_path / "page.html").read_text()


def test_what_is_no_finished_run_is_refused(kept: dict[str, Any], tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "gone", kept["score"]):
        with pytest.raises(InputError, match=r"Expected a"):
            nas.open_run(str(wrong))
    folder = tmp_path / "unfinished"
    shutil.copytree(kept["search"].run, folder)
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match=r"Expected a finished run but .* finish it with `nas resume"):
        nas.open_run(folder)
    assert nas.resume(folder) == kept["search"]
    assert nas.open_run(folder) == kept["search"]
    (folder / "result.json").write_text("{")
    with pytest.raises(InputError, match=r"Expected a readable .*result\.json"):
        nas.open_run(folder)
