"""The examples in the docstrings of the face and of its results run, and nothing is without one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import result_factory as make
import torch

import nas
import nas.api
import nas.results
from nas.api.tables import Tables
from nas.results import Result
from nas.runs.repetitions import summarise

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SMALL = {"model.channels": 4, "model.cells_per_stage": 1}
INTERNAL = {"of"}  # it makes results of the face from those of the commands
MODULES = [
    module.name
    for package in (nas.api, nas.results)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]
RIGHT = {"clean": "1110", "fgsm": "1100"}


def two_reports() -> list[Any]:
    """Reports of two untrained networks on the same images."""
    images, labels = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    networks = [torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10)) for _ in range(2)]
    return [nas.evaluate(one, data=(images, labels), attacks=["fgsm"], eps=0.1) for one in networks]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One result of each kind, by the name that examples have for it."""
    folder = tmp_path_factory.mktemp("results")
    model = nas.train_model(CELL, epochs=1, settings=SMALL)
    scores = nas.score([CELL], proxies=["params", "flops"], run=folder / "scores.csv")
    models = [make.evaluation(RIGHT, name=f"{name}-pgd") for name in ("best", "random")]
    return {
        "nas": nas,
        "model": model,
        "scores": scores,
        "found": nas.search(objective="params:min", strategy="random", budget=20),
        "report": nas.evaluate(model, attacks=["fgsm", "pgd3"], eps=0.1, n_test=16),
        "compared": nas.compare(*two_reports()),
        "tables": nas.open_tables(scores=folder / "scores.csv"),
        "whole_run": make.whole_run(models),
        "study": summarise([make.whole_run(models, seeds={"run": seed}) for seed in (0, 1)]),
        "transfer": make.transferred(),
        "setting": make.discrete_search(),
    }


@pytest.mark.landing
@pytest.mark.parametrize("module", [*MODULES, "nas.train.exported"])
def test_examples_run(module: str, results: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = importlib.import_module(module)
    done = doctest.testmod(found, extraglobs=results, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.failed == 0


def _public(name: str, thing: Any) -> Iterator[tuple[str, str]]:
    """The docstrings of a function or class, and of the methods that the face gives it."""
    yield name, inspect.getdoc(thing) or ""
    for member, value in inspect.getmembers(thing) if inspect.isclass(thing) else ():
        function = value.fget if isinstance(value, property) else getattr(value, "func", value)
        own = str(getattr(function, "__module__", "")).startswith("nas.api")
        if own and callable(function) and not member.startswith("_") and member not in INTERNAL:
            yield f"{name}.{member}", inspect.getdoc(function) or ""


def test_everything_public_has_an_example() -> None:
    things = {name: getattr(nas.api, name) for name in nas.api.__all__} | {"Tables": Tables}
    things |= {kind.__name__: kind for kind in Result.__subclasses__() if kind.__module__.startswith("nas.results")}
    things |= {name: getattr(nas.results, name) for name in ("ScoreResult", "Comparison", "ExportResult")}
    assert set(dir(nas)) - {"__version__"} <= set(things)
    documented = dict(text for name, thing in things.items() for text in _public(name, thing))
    assert len(documented) > 40
    assert [name for name, text in documented.items() if ">>> " not in text] == []


@pytest.mark.parametrize("name", [name for name in dir(nas) if name != "__version__"])
def test_functions_say_what_they_take_give_and_raise(name: str) -> None:
    text = inspect.getdoc(getattr(nas, name)) or ""
    assert "Raises" in text or name == "register"
