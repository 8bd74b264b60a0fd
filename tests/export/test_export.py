"""What `nas export` writes: complete, the same network everywhere, whole or not at all."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import result_factory as make
import torch

import nas
from nas.cli.main import run_command
from nas.core import config
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.io.files import write_json
from nas.core.storage.sqlite import SqliteStore
from nas.export import folder as exporting
from nas.export.folder import export
from nas.search_spaces import SPACES
from nas.settings.schema import from_values
from nas.train import TrainedNetwork

for package in ("safetensors", "onnx", "onnxscript"):
    pytest.importorskip(package)

SIZES: dict[str, dict[str, Any]] = {
    "nasbench201": {"channels": 4, "cells_per_stage": 1},
    "darts": {"channels": 2, "cells": 3, "auxiliary": True},
}
ROOT_OF_DATA = "/somewhere/private/digits"


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX takes seconds; most tests are about the rest."""
    monkeypatch.setattr(exporting, "onnx_bytes", lambda network, image_size: b"onnx")


def trained_network(space: str = "nasbench201") -> TrainedNetwork:
    arch = str(SPACES.get(space)().sample(Random(3)))
    data = {"name": "digits", "root": ROOT_OF_DATA, "size": 8, "download": True}
    mean, std = [0.5, 0.4, 0.45], [0.25, 0.2, 0.3]
    return TrainedNetwork("best-pgd", space, arch, SIZES[space], 10, 16, mean, std, data, "pgd", 8 / 255)


def saved(path: Path, trained: TrainedNetwork) -> Path:
    torch.manual_seed(0)
    network = trained.build()
    network.train()
    network(torch.rand(8, 3, 16, 16))
    checkpoint.save(path, {"kind": "network", "epoch": 3, **trained.export(network.state_dict())})
    return path


def whole_run(folder: Path) -> Path:
    """A run with one evaluated checkpoint, and a run of `nas eval` beside it."""
    path = saved(folder / "run" / "models" / "best-pgd" / "best.pt", trained_network())
    settings = config.plain(from_values({"data": {"name": "digits", "size": 8}}, ["train.lr=0.07", "seed=11"]))
    described = {"version": "0", "extra": {}, "settings": settings}
    entry = make.evaluation(
        {"clean": 30, "pgd20": 20}, 40, corruptions=make.corrupted({"fog": [0.5], "snow": [0.7]}, 0.75, non_finite={})
    )
    other = make.evaluation({"clean": 4, "pgd20": 2}, 40, checkpoint="models/other/best.pt")
    write_json(folder / "run" / "config.json", {**described, "command": "run"})
    write_json(folder / "run" / "result.json", make.whole_run([other, entry]).to_json())
    again = make.evaluation({"clean": 15, "autoattack": 5}, 20, checkpoint="../run/models/best-pgd/best.pt")
    write_json(folder / "eval" / "config.json", {**described, "command": "eval"})
    write_json(folder / "eval" / "result.json", replace(again, versions={"torch": "2"}).to_json())
    (folder / "foreign").mkdir()
    (folder / "foreign" / "config.json").write_text('{"model_type": "x"}')
    return path


@pytest.mark.landing
@pytest.mark.parametrize("space", ["nasbench201", pytest.param("darts", marks=pytest.mark.slow)])
def test_onnx_gives_what_torch_gives_for_any_batch(space: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path = saved(tmp_path / "a.pt", trained_network(space))
    result = export(path, tmp_path / "net")
    session = runtime.InferenceSession(tmp_path / "net" / "model.onnx")
    network, original = nas.load(tmp_path / "net"), nas.load(path)
    weights = sum(weight.numel() for weight in network.parameters())
    assert weights == result.params, "the auxiliary head is left behind"
    for count in (1, 5):
        x = torch.rand(count, 3, 16, 16)
        with torch.no_grad():
            expected = original(x)
            assert torch.equal(network(x), expected)
        (logits,) = session.run(["logits"], {"images": x.numpy()})
        assert abs(torch.from_numpy(logits) - expected).max() <= 1e-4
    assert b".py" not in (tmp_path / "net" / "model.onnx").read_bytes(), "no paths of the sources"


def test_the_folder_tells_everything_but_the_users_paths(tmp_path: Path, without_onnx: None) -> None:
    path = whole_run(tmp_path)
    result = export(path, tmp_path / "net")
    files = {file.name: file for file in (tmp_path / "net").iterdir()}
    assert sorted(files) == sorted(result.files)
    description = json.loads(files["architecture.json"].read_text())
    trained = trained_network()
    network = description["network"]
    assert (network["space"], network["arch"], network["settings"]) == (trained.space, trained.arch, trained.settings)
    assert (network["mean"], network["std"], network["num_classes"]) == (trained.mean, trained.std, 10)
    assert network["data"] == {"name": "digits", "size": 8}
    assert (description["epoch"], description["recipe"]["lr"], description["recipe"]["seed"]) == (3, 0.07, 11)
    assert description["recipe"]["method"] == "pgd"
    assert description["versions"]["torch"] == torch.__version__.partition("+")[0]
    metrics = json.loads(files["metrics.json"].read_text())
    assert [(entry["run"], entry["clean"], entry["n_test"]) for entry in metrics] == [
        ("run", 0.75, 40),
        ("eval", 0.75, 20),
    ]
    card = files["README.md"].read_text()
    for words in (
        trained.arch,
        "nas.load('net')",
        "| PGD-20 | 50.0% ",
        "| AutoAttack | 25.0% ",
        "2 types of common corruption | 60.0% ",
        "8/255",
        "| torch |",
    ):
        assert words in card
    assert "was not among them" not in card
    for file in files.values():
        assert ROOT_OF_DATA.encode() not in file.read_bytes()
        assert str(tmp_path).encode() not in file.read_bytes(), file


def test_the_checkpoint_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_onnx: None) -> None:
    path, load, read = whole_run(tmp_path), checkpoint.load, []
    monkeypatch.setattr(checkpoint, "load", lambda *words: read.append(words) or load(*words))
    export(path, tmp_path / "net")
    assert read == [(path, "network")]


def test_a_damaged_configuration_of_the_run_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, without_onnx: None
) -> None:
    path = whole_run(tmp_path)
    (tmp_path / "run" / "config.json").write_text("{")
    with SqliteStore(tmp_path / "run" / "store.sqlite"), caplog.at_level(logging.WARNING, "nas"):
        result = export(path, tmp_path / "net")
    (said,) = (record.getMessage() for record in caplog.records)
    assert "config.json" in said
    assert said.endswith("The card is written without the settings of the training.")
    assert json.loads((tmp_path / "net" / "architecture.json").read_text())["recipe"] is None
    assert result.evaluations == 1  # that of the run of `nas eval` beside it


def test_a_checkpoint_alone_says_what_it_does_not_know(tmp_path: Path, without_onnx: None) -> None:
    export(saved(tmp_path / "a.pt", trained_network()), tmp_path / "net")
    card = (tmp_path / "net" / "README.md").read_text()
    assert "not known" in card
    assert "was not evaluated" in card
    assert json.loads((tmp_path / "net" / "metrics.json").read_text()) == []


def test_what_is_there_stays(tmp_path: Path, without_onnx: None) -> None:
    path = saved(tmp_path / "a.pt", trained_network())
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "precious").write_text("mine")
    for taken in (tmp_path / "net", path):
        with pytest.raises(InputError, match="choose another"):
            export(path, taken)
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.pt", "net", "precious"]
    (tmp_path / "net" / "precious").unlink()
    export(path, tmp_path / "net")
    with pytest.raises(InputError, match="exported folder already"):
        export(tmp_path / "net", tmp_path / "again")


def test_a_stop_leaves_nothing_under_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_onnx: None
) -> None:
    path = saved(tmp_path / "a.pt", trained_network())
    seen = []

    def stopped(*arguments: Any) -> str:
        seen.append(sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith(".")))
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "card", stopped)  # the last file to be written
    with pytest.raises(KeyboardInterrupt):
        export(path, tmp_path / "net")
    assert seen == [["a.pt"]], "the name appears only when everything is written"
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


@pytest.mark.parametrize("package", ["safetensors.torch", "onnx", "onnxscript"])
def test_a_missing_package_is_one_line(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "a.pt", trained_network())
    for name in [name for name in sys.modules if name == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    assert run_command(["export", str(path), str(tmp_path / "net")]) == 2
    printed = capfd.readouterr().err
    assert "pip install 'robust-nas[export]'" in printed
    assert len(printed.strip().splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert run_command(["export", str(tmp_path / "missing.pt"), str(tmp_path / "net")]) == 2
    assert "no such file" in capfd.readouterr().err, "a wrong path is told before a missing package"


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], without_onnx: None
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "a.pt", trained_network())
    assert run_command(["export", "a.pt", "out/net", "--json"]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["folder"] == "out/net"
    assert value["arch"] == trained_network().arch
    assert run_command(["export", "missing.pt", "other"]) == 2
    assert run_command(["export", "--help"]) == 0
    assert "`nas export " in capfd.readouterr().out.replace("\n  ", " ")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "of which 10 % were withheld for validation"),
        ({"validation": 0.1}, "of which 10 % were withheld for validation"),
        ({"validation": 0.025}, "of which 2.5 % were withheld for validation"),
        ({"validation": 5000}, "of which 5,000 images were withheld for validation"),
        ({"validation": 0}, "of which nothing was withheld"),
    ],
)
def test_the_card_says_how_many_images_were_withheld(
    said: dict[str, float], words: str, tmp_path: Path, without_onnx: None
) -> None:
    """A network of before does not say it: a tenth was."""
    trained = trained_network()
    trained = replace(trained, data={**trained.data, **said})
    export(saved(tmp_path / "a.pt", trained), tmp_path / "net")
    assert f"on the training part of digits, {words}" in (tmp_path / "net" / "README.md").read_text()
    description = json.loads((tmp_path / "net" / "architecture.json").read_text())
    assert description["network"]["data"] == {"name": "digits", "size": 8, **said}


def test_a_checkpoint_that_says_nonsense_of_its_data(tmp_path: Path, without_onnx: None) -> None:
    trained = trained_network()
    trained = replace(trained, data={**trained.data, "validation": "many"})
    with pytest.raises(InputError, match=r"data\.validation"):
        export(saved(tmp_path / "a.pt", trained), tmp_path / "net")
    assert not (tmp_path / "net").exists()
