"""`nas eval` of networks that are not ours, and of exported folders."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from commands import nas_json

from nas.cli.main import run_command
from nas.core.data import Dataset, DataSettings, attacked, load
from nas.core.images import unit_range
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
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")  # what the command adds to the path is taken back
    return tmp_path


def evaluated(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> Any:
    assert run_command(["eval", *arguments, *FAST, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


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
    assert run_command(["run", "quickstart", "eval.model_options=width=3"]) == 2
    assert "eval.model_options" in capfd.readouterr().err
