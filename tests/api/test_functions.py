"""A Python function as the objective of a search."""

from __future__ import annotations

import functools
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from objective_functions import SPACE, both, params

import nas
from nas.cli.main import run_command
from nas.core.errors import InputError, NasError
from nas.strategies import STRATEGIES

SMALL: dict[str, dict[str, Any]] = {
    "evolution": {"strategy.population": 5, "strategy.tournament": 2},
    "nsga2": {"strategy.population": 5},
}
CHEAP = {"search.cheap": "params"}


def test_the_function_gets_representatives_and_is_maximised() -> None:
    asked = []

    def fewest(arch: Any) -> float:
        asked.append(arch)
        return -float(params(arch))

    found = nas.search(space=SPACE, objective=fewest, strategy="random", budget=12)
    assert [SPACE.canonical(arch) for arch in asked] == asked
    assert len({str(arch) for arch in asked}) == 12
    assert found.best.metrics == {"fewest": -min(map(params, asked))}
    assert [goal.name for goal in found.goals] == ["fewest"]
    assert found.settings["search"]["objective"].startswith("python:test_functions.")


def test_directions_of_one_number_and_of_several() -> None:
    found = nas.search(objective=params, directions={"params": "min"}, strategy="random", budget=12)
    worst = nas.search(objective=params, strategy="random", budget=12)
    assert found.best.metrics["params"] < worst.best.metrics["params"]
    front = nas.search(
        objective=both,
        directions={"params": "min", "macs": "max"},
        strategy="nsga2",
        settings=SMALL["nsga2"],
        budget=12,
    )
    assert [(goal.name, goal.higher_is_better) for goal in front.goals] == [("params", False), ("macs", True)]
    with pytest.raises(InputError, match="strategy for several"):
        nas.search(objective=both, directions={"params": "min", "macs": "max"}, strategy="evolution", budget=2)


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_takes_a_function(name: str) -> None:
    needs = STRATEGIES.get(name).needs(STRATEGIES.get(name).Options())
    settings = {**SMALL.get(name, {}), **(CHEAP if "cheap" in needs else {})}
    found = nas.search(objective=params, strategy=name, budget=6, settings=settings, constraints=["params<=300000"])
    assert found.evaluated == 6
    assert found.failed == 0
    assert 0 < found.best.metrics["params"] <= 300000


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "Expected a finite number for later but got nan."),
        (float("inf"), "Expected a finite number for later but got inf."),
        (None, "Expected a number for later but got None."),
        ("0.5", "Expected a number for later but got '0.5'."),
        ({"other": 1.0}, "Expected values of later from "),
        ({"later": 1.0, "other": 1.0}, "Expected values of later from "),
        (torch.ones(2), "Expected a number for later but got tensor"),
        (ValueError("no such file"), "The function later raised ValueError: no such file."),
        (InputError("Expected x."), "The function later raised InputError: Expected x."),
    ],
)
def test_what_is_no_number_is_a_failure_with_its_reason(value: object, reason: str, tmp_path: Path) -> None:
    calls = 0

    def later(arch: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            return np.float32(0.5)
        if isinstance(value, Exception):
            raise value
        return value

    found = nas.search(objective=later, strategy="random", budget=3)
    assert (found.evaluated, found.failed) == (3, 2)
    assert found.best.metrics == {"later": 0.5}
    (told,) = found._record.data.failures
    assert told.startswith(reason)


def test_an_exception_of_the_first_call_is_raised() -> None:
    error = RuntimeError("my own")

    def broken(arch: Any) -> float:
        raise error

    with pytest.raises(RuntimeError, match="my own") as caught:
        nas.search(objective=broken, budget=3)
    assert caught.value is error
    with pytest.raises(NasError, match="Every evaluation of the search failed"):
        nas.search(objective=lambda arch: float("nan"), budget=3)


def test_an_interrupted_search_gives_the_best_so_far(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    def interrupted(arch: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return calls

    found = nas.search(objective=interrupted, budget=30)
    assert found.interrupted
    assert not found.exhausted
    assert (found.evaluated, found.best.metrics) == (4, {"interrupted": 4.0})
    assert "interrupted after 4 of 30 evaluations" in caplog.text
    calls = 0
    with pytest.raises(KeyboardInterrupt):
        nas.search(objective=interrupted, budget=30, run=tmp_path / "run")
    again = nas.resume(tmp_path / "run", objective=interrupted)
    assert again.evaluated == 30
    assert not again.interrupted


@pytest.mark.parametrize(
    ("value", "directions", "words"),
    [
        ({"a": 1.0}, None, "Expected values of wrong from .*wrong but got values of a; directions name"),
        ("good", None, "Expected a number for wrong but got 'good'"),
        (1.0, {"a": "max"}, "Expected values of a from .*wrong but got 1.0; directions name"),
    ],
)
def test_a_value_of_another_kind_stops_the_search_at_once(value: Any, directions: Any, words: str) -> None:
    calls = []

    def wrong(arch: Any) -> Any:
        calls.append(arch)
        return value

    with pytest.raises(InputError, match=words):
        nas.search(objective=wrong, directions=directions, strategy="random", budget=5)
    assert len(calls) == 1


def test_failures_are_in_the_result_by_their_reason() -> None:
    calls = []

    def sometimes(arch: Any) -> Any:
        calls.append(arch)
        return [None, math.nan, 1.0][len(calls) % 3]

    found = nas.search(objective=sometimes, strategy="random", budget=6)
    assert sorted(found.failures.values()) == [2, 2]
    assert found.failed == 4
    assert "of 6 evaluated, 4 of which failed (see failures)" in repr(found)


def test_an_interruption_before_the_first_value_is_raised() -> None:
    def interrupted(arch: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas.search(objective=interrupted, budget=3)


def first(arch: Any) -> float:
    """A function whose run is continued with another."""
    return 1.0


def test_a_run_knows_its_function(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = tmp_path / "run"
    nas.search(objective=first, strategy="random", budget=3, run=run)
    begun = json.loads((run / "config.json").read_text())
    assert begun["settings"]["search"]["objective"] == f"python:{__name__}.first"
    ((name, sha256),) = begun["extra"]["functions"].items()
    assert name == f"{__name__}.first"
    assert len(sha256) == 64
    assert caplog.text == ""


def test_another_source_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def stopping(arch: Any) -> float:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        nas.search(objective=stopping, budget=3, run=run)
    assert run_command(["resume", str(run), "executor.workers=1"]) == 2  # a function inside another cannot be imported
    assert nas.resume(run, objective=lambda arch: 2.0).best.metrics == {"stopping": 2.0}
    assert "has another SHA-256" in caplog.text


def test_nas_resume_says_what_the_run_needs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def stopping(arch: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas.search(objective=stopping, budget=3, run=tmp_path / "run")
    assert run_command(["resume", str(tmp_path / "run"), "executor.workers=1"]) == 2
    assert "nas.resume(RUN, objective=FUNCTION)" in capfd.readouterr().err.splitlines()[-1]
    nas.search(objective="params", budget=3, strategy="random", run=tmp_path / "other")
    with pytest.raises(InputError, match="whose search was begun without a function"):
        nas.resume(tmp_path / "other", objective=stopping)


@pytest.mark.slow
def test_workers_call_a_function_of_a_module() -> None:
    alone = nas.search(objective=params, strategy="random", budget=6)
    assert nas.search(objective=params, strategy="random", budget=6, workers=2).top == alone.top


@pytest.mark.parametrize(
    "function", [lambda arch: 1.0, functools.partial(params), SPACE.__len__], ids=["lambda", "partial", "method"]
)
def test_workers_refuse_what_they_cannot_import(function: Callable[[Any], float]) -> None:
    with pytest.raises(InputError, match="function that 2 workers can import"):
        nas.search(objective=function, budget=2, workers=2)


def test_the_command_calls_the_same_function(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = nas.search(objective=params, directions={"params": "min"}, strategy="random", budget=6)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(found.settings))
    words = ["search", str(tmp_path / "mine.yaml"), f"run.dir={tmp_path / 'run'}", "executor.workers=1", "--json"]
    assert run_command(words) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["best"] == [one.to_json() for one in found.top]


def test_a_function_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_objective_module.py").write_text(
        "class Of:\n    @staticmethod\n    def length(arch):\n        return len(str(arch))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    words = ["search", "objective=python:my_objective_module.Of.length", "strategy.name=random", "search.budget=3"]
    Path("empty.yaml").write_text("{}\n")
    assert run_command([words[0], "empty.yaml", *words[1:], "executor.workers=1", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["best"][0]["metrics"]["length"] == len(result["best"][0]["arch"])
    assert run_command(["search", "empty.yaml", "objective=python:my_objective_module.none"]) == 2
    assert "Expected to import the function my_objective_module.none but" in capfd.readouterr().err
    assert run_command(["search", "empty.yaml", "objective=python:nothing"]) == 2
    assert "Expected python:package.module.function" in capfd.readouterr().err


def test_directions_are_checked() -> None:
    with pytest.raises(InputError, match="directions only with a function"):
        nas.search(objective="params", directions={"params": "min"}, budget=2)
    with pytest.raises(InputError, match="directions of max or min"):
        nas.search(objective=params, directions={"params": "down"}, budget=2)
    for key in ("", "a+b", "a:b", "a/b"):
        with pytest.raises(InputError, match="names of values without"):
            nas.search(objective=params, directions={key: "min"}, budget=2)
    with pytest.raises(InputError, match="at least one value"):
        nas.search(objective=params, directions={}, budget=2)
    with pytest.raises(InputError, match="objective as text or a function"):
        nas.search(objective=3, budget=2)  # type: ignore[arg-type]


def test_a_run_is_resumed_in_this_process_unless_workers_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []

    def reopen(folder: Path, words: list[str]) -> Any:
        given.append(words)
        raise InputError("Expected nothing.")

    monkeypatch.setattr("nas.api.searching.reopen", reopen)
    for workers in (None, 3):
        with pytest.raises(InputError, match="nothing"):
            nas.resume(tmp_path, workers=workers)
    assert given == [["executor.workers=1"], ["executor.workers=3"]]


def test_workers_may_be_set_among_the_settings_of_a_resumed_run(tmp_path: Path) -> None:
    found = nas.search(objective="params:min", strategy="random", budget=2, run=tmp_path / "run")
    assert nas.resume(tmp_path / "run", settings={"executor.workers": 2}) == found
    assert nas.resume(tmp_path / "run", settings={"executor": {"workers": 2}}) == found
    with pytest.raises(InputError, match=r"executor\.workers once"):
        nas.resume(tmp_path / "run", settings={"executor.workers": 2}, workers=2)


def test_the_page_of_a_function_of_the_program_repeats_it_in_python(tmp_path: Path) -> None:
    both = {"macs": "min", "params": "max"}
    found = nas.search(
        objective=lambda arch: dict(zip(both, reversed(SPACE.cost(arch)))), directions=both, strategy="nsga2", budget=4
    )
    line, from_file = found._record.data.repeated
    assert (line, from_file) == (f"nas.search('search.yaml', objective=function, directions={both})", True)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(found.settings))
    again = nas.search(
        tmp_path / "search.yaml", objective=lambda arch: dict(zip(both, reversed(SPACE.cost(arch)))), directions=both
    )
    assert (again.top, again.evaluated) == (found.top, found.evaluated)
    with nas.open_search(strategy="random", directions={"a": "min"}, budget=1) as search:
        search.tell(search.ask(1)[0], 1.0)
        line, _ = search.result()._record.data.repeated
    assert line == "nas.open_search('search.yaml', directions={'a': 'min'})"
    line, _ = nas.search(objective=params, strategy="random", budget=2)._record.data.repeated
    assert line == "nas search search.yaml seed=0"
