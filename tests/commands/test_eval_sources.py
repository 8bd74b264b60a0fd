"""`nas eval` of networks that are not ours, and of exported folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from commands import nas_json

from nas.cli.main import run_command
from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
from nas.eval import model_source
from nas.search_spaces import NASBench201
from nas.train import TrainedNetwork
from nas.train.exported import save_exported

FAST = ("eval.n_test=8", "eval.batch_size=4", "eval.attacks=fgsm", "eval.sweep=[]", "executor.workers=1")


@pytest.fixture(scope="module")
def data(few_digits: str) -> Dataset:
    return load(DataSettings(name="npz", root=few_digits.removeprefix("data.root=")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a module of networks whose weights are fixed by hand."""
    (tmp_path / "networks_here.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Rows(nn.Module):\n"
        "    def __init__(self, classes=10):\n"
        "        super().__init__()\n"
        "        self.last = nn.Linear(192, classes)\n"
        "        nn.init.constant_(self.last.bias, 0.0)\n"
        "        self.last.weight.data = torch.sin(torch.arange(classes * 192.0)).view(classes, 192)\n"
        "    def forward(self, x):\n"
        "        return self.last(x.flatten(1))\n"
        "def make(**options):\n    return Rows(**options)\n"
        "class View(Rows):\n"
        "    def forward(self, x):\n"
        "        return self.last(x.view(-1, 192))\n"
        "class NoGrad(Rows):\n"
        "    def forward(self, x):\n"
        "        with torch.no_grad():\n"
        "            return super().forward(x)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # what the command adds to the path is taken back
    return tmp_path


def evaluated(arguments: list[str], capfd: pytest.CaptureFixture[str], fast: Sequence[str] = FAST) -> Any:
    assert run_command(["eval", *arguments, *fast, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


@pytest.mark.landing
def test_code_of_the_users_own(folder: Path, data: Dataset, few_digits: str, capfd: pytest.CaptureFixture[str]) -> None:
    result = evaluated(["networks_here:make", "data.name=npz", few_digits], capfd)
    part = attacked(data, 8)
    weights = torch.sin(torch.arange(1920.0)).view(10, 192)
    right = (unit_range(part.images).flatten(1) @ weights.T).argmax(1) == part.labels
    assert result["correct"]["clean"] == "".join(str(int(flag)) for flag in right)
    assert result["params"] == 1930
    assert (result["architecture"], result["training"]) == ("networks_here:make", "unknown")
    assert result["source"] == "networks_here:make"
    assert "checkpoint" not in result
    run = folder / "runs" / "eval-networks_here.make-1"
    written = (run / "report.html").read_text()  # by the evaluation itself
    for name in ("result.json", "report.html"):
        (run / name).unlink()  # as if it had been stopped at the very end
    again = nas_json("resume", str(run), cwd=Path("/"))
    assert {**again, "seconds": 0} == {**result, "seconds": 0}
    page = (run / "report.html").read_text()
    assert "fgsm" in page.lower()
    assert page.count("<section") == written.count("<section") > 2
    assert run_command(["report", str(run)]) == 0
    assert capfd.readouterr().out.count(f"report: {run / 'report.html'}") == 1
    page = (run / "report.html").read_text()
    assert f"nas eval networks_here:make seed=0 data.name=npz {few_digits}" in page
    assert "nasbench201" not in page.partition("</header>")[0], "it is of no search space"


def test_a_network_of_somebody_else_is_made_once_before_the_run_and_once_for_it(
    folder: Path, few_digits: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = model_source.from_code
    monkeypatch.setattr(model_source, "from_code", lambda *words: made.append(words[0]) or make(*words))
    evaluated(["networks_here:make", "data.name=npz", few_digits], capfd)
    assert made == ["networks_here:make"] * 2


def test_how_images_are_taken_is_printed_kept_and_reported(
    folder: Path, data: Dataset, few_digits: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["networks_here:View", "data.name=npz", few_digits, "eval.mean=0.5", "eval.std=1/4", *FAST]
    assert run_command(["eval", *arguments]) == 0
    text = " ".join(capfd.readouterr().out.split())
    words = [
        "Images normalised by eval.mean and eval.std: mean 0.5, standard deviation 0.25.",
        "The network ran on images in ordinary memory order.",
    ]
    run = folder / "runs" / "eval-networks_here.View-1"
    page = " ".join((run / "report.html").read_text().split())
    assert all(line in text and line in page for line in words)
    result = json.loads((run / "result.json").read_text())
    assert result["normalised"] == {"by": "settings", "mean": [0.5], "std": [0.25]}
    assert result["fed"] == {"order": "ordinary", "type": "float32"}
    part = attacked(data, 8)
    weights = torch.sin(torch.arange(1920.0)).view(10, 192)
    right = ((part.images.flatten(1).float() / 255 - 0.5) / 0.25 @ weights.T).argmax(1) == part.labels
    assert result["correct"]["clean"] == "".join(str(int(flag)) for flag in right)
    assert "eval.mean=0.5 eval.std=0.25" in page


def test_a_network_without_gradients_stands_square_and_corruptions_alone(
    folder: Path, few_digits: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["networks_here:NoGrad", "data.name=npz", few_digits]
    assert run_command(["eval", *arguments, *FAST]) == 2
    assert "Expected a gradient of networks_here:NoGrad in the pixels for fgsm" in capfd.readouterr().err
    assert run_command(["transfer", arguments[0], *arguments, "eval.n_test=8", "eval.attacks=fgsm"]) == 2
    assert "Expected a gradient" in capfd.readouterr().err
    assert not (folder / "runs").exists()
    more = ["eval.attacks=square5", "eval.corruptions=contrast", "eval.severities=[3]"]
    result = evaluated([*arguments, *more], capfd, fast=[text for text in FAST if "attacks" not in text])
    assert set(result["attacks"]) == {"square5"}
    assert list(result["corruptions"]["types"]) == ["contrast"]


@pytest.mark.landing
def test_a_library_model_without_download(few_digits: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = "eval.model_options=pretrained=false,num_classes=10"
    arguments = ["torchvision:squeezenet1_1", "data.name=npz", few_digits, "data.size=32", options]
    result = evaluated([*arguments, "eval.corruptions=contrast", "eval.severities=[3]"], capfd)
    assert "contrast" in (folder / "runs" / "eval-squeezenet1_1-1" / "report.html").read_text()
    assert result["name"] == "squeezenet1_1"
    assert result["training"] == "unknown"
    assert 0 <= result["attacks"]["fgsm"] <= result["clean"] <= 1
    assert run_command(["eval", *arguments, *FAST, "--dry-run", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["image_passes"]["eval"] > 0


def test_an_exported_folder(few_digits: str, folder: Path, data: Dataset, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("safetensors")
    space = NASBench201()
    arch = str(space.sample(Random(1)))
    size = {"channels": 4, "cells_per_stage": 1}
    about = {"name": "npz", "size": None}
    trained = TrainedNetwork("best", "nasbench201", arch, size, 10, 8, [0.5] * 3, [0.2] * 3, about, "pgd", 0.1)
    torch.manual_seed(0)
    network = trained.build().eval()
    save_exported(folder / "net", trained, network.state_dict(), {})
    result = evaluated(["net", few_digits], capfd)
    part = attacked(data, 8)
    with torch.no_grad():
        right = network(unit_range(part.images)).argmax(1) == part.labels
    assert result["correct"]["clean"] == "".join(str(int(flag)) for flag in right)
    assert (result["architecture"], result["training"], result["params"]) == (arch, "pgd", trained.params)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["networks_here:make"], "data.name="),
        (["networks_here:made", "data.name=digits"], "has no attribute"),
        (["networks_here:make", "data.name=digits"], "set data.size"),
        (["networks_here:make", "data.name=digits", "data.size=8", "eval.model_options=classes=3"], "(2, 3)"),
        (["torchvision:resnet19", "data.name=digits"], "did you mean 'resnet18'"),
        (["networks_here:make", "data.name=digits", "model.channels=3"], "model.channels"),
    ],
)
def test_bad_input_writes_nothing(
    arguments: list[str], words: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["eval", *arguments, *FAST]) == 2
    printed = capfd.readouterr().err
    assert words in printed
    assert len(printed.strip().splitlines()) == 1
    assert not (folder / "runs").exists()


def test_options_for_networks_of_others_are_refused_elsewhere(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for typed in (["eval.model_options=width=3"], ["eval.normalise=none"], ["eval.mean=0.5", "eval.std=0.5"]):
        assert run_command(["run", "quickstart", *typed]) == 2
        assert typed[0].partition("=")[0] in capfd.readouterr().err
