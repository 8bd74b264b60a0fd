"""Keywords and `settings=` count as typed: they are refused in the sentences of the command."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import nas
from nas.api.keywords import data_keywords
from nas.api.scoring import _names
from nas.cli.main import run_command
from nas.core.errors import InputError
from nas.strategies.proxies import PROXIES

ONE = (np.zeros((1, 3, 2, 2), np.float32), np.array([0]))
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "own.yaml").write_text("name: own\n")
    return str(tmp_path / "own.yaml")


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"settings": {"search.bugdet": 5}}, ["search.bugdet=5"]),
    "unknown section": ({"settings": {"serach": {"budget": 5}}}, ["serach.budget=5"]),
    "key of another strategy": ({"settings": {"strategy.warmup": 5}}, ["strategy.warmup=5"]),
    "key without effect": ({"settings": {"search.cheap": "params"}}, ["search.cheap=params"]),
    "impossible value": ({"budget": 0}, ["search.budget=0"]),
    "wrong type": ({"settings": {"search": {"budget": "many"}}}, ["search.budget=many"]),
    "unknown strategy": ({"strategy": "evolutoin"}, ["strategy.name=evolutoin"]),
    "unknown objective": ({"objective": "crose"}, ["search.objective=crose"]),
    "unknown space": ({"space": "nasbench202"}, ["space=nasbench202"]),
    "unknown device": ({"device": "gpu"}, ["device=gpu"]),
    "no workers": ({"workers": 0}, ["executor.workers=0"]),
    "negative seed": ({"seed": -1}, ["seed=-1"]),
    "unreadable limit": ({"limits": ["latency<<1"]}, ["search.limits=[latency<<1]"]),
    "joint without a limit": ({"joint": True}, ["search.joint=true"]),
    "unreadable constraint": ({"constraints": ["params<<1"]}, ["search.constraints=[params<<1]"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_is_the_sentence_of_the_command(
    name: str, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given, words = WRONG[name]
    assert run_command(["search", recipe, *words]) == 2
    sentence = capfd.readouterr().err.strip().removeprefix("nas: ")
    for first in ({"recipe": recipe}, {}):
        with pytest.raises(InputError) as caught:
            nas.search(**first, **given)
        assert str(caught.value) == sentence
    assert [file.name for file in tmp_path.iterdir()] == ["own.yaml"]


def test_a_key_is_given_once() -> None:
    with pytest.raises(InputError, match=r"Expected search\.budget once but got it as a keyword and in settings"):
        nas.search(budget=5, settings={"search": {"budget": 5}})
    with pytest.raises(InputError, match=r"Expected seed once"):
        nas.score([CELL], seed=1, settings={"seed": 1})
    with pytest.raises(InputError, match=r"Expected train\.epochs once"):
        nas.train_model(CELL, epochs=1, settings={"train.epochs": 2})


def test_settings_without_effect_are_refused_by_every_verb() -> None:
    with pytest.raises(InputError, match=r"search\.budget has no effect in nas score"):
        nas.score([CELL], settings={"search.budget": 5})
    with pytest.raises(InputError, match=r"search\.budget has no effect in nas train"):
        nas.train_model(CELL, settings={"search.budget": 5})
    with pytest.raises(InputError, match=r"train\.eps has no effect"):
        nas.train_model(CELL, eps=0.1)


def test_settings_of_a_recipe_may_serve_other_commands() -> None:
    """What a recipe says is not refused; only what is typed in the call must act."""
    content = {"search": {"objective": "params:min", "budget": 2}, "train": {"epochs": 7}}
    assert nas.search(content).settings["train"]["epochs"] == 7


@pytest.mark.parametrize("given", [{"search.budget": 3}, {"search": {"budget": 3}}])
def test_dotted_and_nested_settings_are_the_same(given: dict[str, Any]) -> None:
    found = nas.search(objective="params:min", strategy="random", settings=given)
    assert found.evaluated == 3
    assert found.settings["search"]["budget"] == 3


def test_the_work_is_done_in_this_process_unless_workers_are_given() -> None:
    assert nas.search(objective="params:min", budget=2).settings["executor"]["workers"] == 1
    values = {"search": {"objective": "params:min", "budget": 2}, "executor": {"workers": 2}}
    assert nas.search(values).settings["executor"]["workers"] == 1


def test_values_of_other_kinds_are_read_as_their_text(tmp_path: Path, few_digits: str) -> None:
    """Numbers of numpy, paths, tuples, objects of the project."""
    cell = nas.space("nasbench201").parse(CELL)
    file = Path(few_digits.removeprefix("data.root="))
    small = {"model.channels": np.int64(4), "model.cells_per_stage": 1, "data.size": 8}
    model = nas.train_model(
        cell, space=nas.space("nasbench201"), data=file, epochs=np.int64(1), seed=np.int64(2), settings=small
    )
    assert model.arch == CELL
    assert model.settings["data"]["root"] == str(file)
    found = nas.search(objective="params:min", budget=2, constraints=("params<=1e6", "flops<=1e9"))
    assert found.settings["search"]["constraints"] == ["params<=1e6", "flops<=1e9"]


def test_data_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, few_digits: str) -> None:
    file = Path(few_digits.removeprefix("data.root="))
    monkeypatch.setenv("HOME", str(file.parent))
    assert data_keywords(f"~/{file.name}") == {"data.name": "npz", "data.root": str(file)}


def test_proxies_as_a_text() -> None:
    assert _names("params, flops,params") == ["params", "flops"]
    assert _names("all") == _names(["all"]) == PROXIES.names()


def test_an_architecture_that_cannot_be_attacked_is_refused() -> None:
    with pytest.raises(InputError, match="architecture that can be attacked"):
        nas.train_model(re.sub(r"\w+~", "none~", CELL), method="pgd", epochs=1, settings={"train.steps": 1})


def test_the_same_call_continues_a_file_of_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    first = nas.score([CELL], proxies="params", run=file)
    again = nas.score([CELL, CELL.replace("none~1", "skip_connect~1")], proxies="params", run=file)
    assert again[0].scores == first[0].scores
    assert len(again) == 2


def test_data_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for wrong in ("cifar1o", tmp_path / "gone.npz"):
        with pytest.raises(InputError, match=r"Expected a data set \(.*digits.*\), an \.npz file or a folder"):
            nas.score([CELL], data=wrong)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nas.score([CELL], settings=["scoring.channels=4"]), "settings as a dictionary such as {'train.lr'"),
        (lambda: nas.score([CELL], data=([1], [2])), "but got tuple; only nas.evaluate takes images"),
        (lambda: nas.score([]), r"at least one architecture but got none; space\.draw"),
        (lambda: nas.evaluate(nn.Flatten(), data=ONE, norm="linf"), "did you mean 'Linf'"),
        (lambda: nas.evaluate(nn.Flatten(), data=ONE, attacks=[]), "at least one attack in eval.attacks"),
        (lambda: nas.search(objective="params:minimum", budget=2), "Expected :min or :max after a metric"),
        (lambda: nas.open_run("nowhere"), "nowhere does not exist"),
        (lambda: nas.open_run(__file__), "is a file"),
    ],
    ids=range(8),
)
def test_mistakes_in_a_call_are_told_with_what_to_do(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
