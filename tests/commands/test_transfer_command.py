"""`nas transfer`: its matrices, its resumed run, its report, and one clear line for what makes no sense."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from names_and_types import TRANSFER, wrong

from nas.cli.main import run_command
from nas.core.data import DataSettings
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.storage.sqlite import SqliteStore
from nas.eval.model_source import ModelSource
from nas.results import TransferResult
from nas.runs.given_model import GivenModel
from nas.runs.stages.transfer import combine, distinct_names
from nas.settings.schema import load
from nas.train import TrainedNetwork

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
SMALL = ("eval.n_test=8", "eval.batch_size=4", "eval.eps=0.1", "eval.attacks=fgsm,pgd2", "executor.workers=1")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two networks with random weights, both called `net`."""
    found = []
    for number in (1, 2):
        folder = tmp_path_factory.mktemp("networks")
        settings = {"channels": 4, "cells_per_stage": 1}
        mean, std = [0.3] * 3, [0.4] * 3
        data = asdict(DataSettings(size=8))
        trained = TrainedNetwork("net", "nasbench201", CELL, settings, 10, 8, mean, std, data, "standard", 0.0)
        torch.manual_seed(number)
        path = folder / "net.pt"
        checkpoint.save(path, {"kind": "network", **trained.export(trained.build().state_dict())})
        found.append(str(path))
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capfd: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run_command([*words, "--json"]) == 0, capfd.readouterr().err
    return json.loads(capfd.readouterr().out)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a/models/net/best.pt", "runs/b/models/net/best.pt"], ["a", "b"]),
        (["a/models/net/best.pt", "a/models/net/last.pt"], ["best", "last"]),
        (["a/net.pt", "a/net.pt"], ["net", "net"]),  # numbered then
        (["a/x/net.pt", "a/y/net.pt", "b/x/net.pt"], ["net", "net", "net"]),
    ],
)
def test_networks_of_one_name_are_told_apart_by_their_paths(paths: list[str], names: list[str]) -> None:
    networks = [GivenModel(ModelSource(path), "net") for path in paths]
    other = GivenModel(ModelSource("c/other.pt"), "other")
    assert distinct_names([*networks, other]) == [*names, "other"]


def test_networks_that_nothing_tells_apart_are_numbered() -> None:
    network = GivenModel(ModelSource("a/net.pt"), "net")
    assert list(combine([(load("quickstart", []), network)] * 3)[1]) == ["net", "net-2", "net-3"]


@pytest.mark.landing
def test_each_checkpoint_is_read_once_before_the_run_and_once_for_it(
    checkpoints: list[str], here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    load = checkpoint.load

    def counted(path: Path, kind: str) -> Any:
        counts[str(path)] += 1
        return load(path, kind)

    monkeypatch.setattr(checkpoint, "load", counted)
    printed(capfd, "eval", checkpoints[0], *SMALL)
    assert counts == {checkpoints[0]: 2}
    counts.clear()
    printed(capfd, "transfer", *checkpoints, *SMALL)
    assert counts == dict.fromkeys(checkpoints, 2)


def test_matrices_resume_and_report(checkpoints: list[str], here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = printed(capfd, "transfer", *checkpoints, *SMALL)
    assert wrong(TransferResult, result, *TRANSFER) == []
    called = [network["name"] for network in result["networks"]]
    assert called == [Path(path).parent.name for path in checkpoints], "both are called net"
    run = here / "runs" / "transfer-1"
    assert [os.path.normpath(run / one["checkpoint"]) for one in result["networks"]] == checkpoints
    assert list(result["transfer"]) == ["fgsm", "pgd2"]
    for one in result["transfer"].values():
        assert [len(row) for row in one["accuracy"]] == [2, 2]
        for row, texts in zip(one["accuracy"], one["correct"]):
            assert row == [text.count("1") / 8 for text in texts]
    assert result["norm"] == "Linf"
    assert [check["name"] for check in result["checks"]] == ["transfer", "transfer"]
    assert json.loads((run / "result.json").read_text()) == result
    with SqliteStore(run / "store.sqlite") as store:
        progress = [store.get(f"progress/transfer/{name}")[:2] for name in called]
    assert all(done == total > 1 for done, total in progress)

    (run / "result.json").unlink()
    again = printed(capfd, "resume", str(run))
    assert {**again, "seconds": 0} == {**result, "seconds": 0}

    assert run_command(["report", str(run)]) == 0
    text = capfd.readouterr().out
    assert "source" in text
    assert called[1] in text
    page = (run / "report.html").read_text()
    assert "<h2>Transfer</h2>" in page
    assert "nas transfer" in page

    about = json.loads((run / "config.json").read_text())
    for key in ("normalise", "mean", "std"):
        del about["settings"]["eval"][key]  # as a run of before
    (run / "config.json").write_text(json.dumps(about))
    (run / "config.json.sha256").unlink()
    assert run_command(["report", str(run)]) == 0
    assert (run / "report.html").read_text().partition("<pre")[0] == page.partition("<pre")[0]


def test_the_usual_attack_is_pgd(checkpoints: list[str], here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = printed(capfd, "transfer", *checkpoints, "eval.n_test=2", "executor.workers=1")
    assert list(result["transfer"]) == ["pgd20"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["0"], "two or more"),
        (["0", "1", "eval.cascade=true"], "eval.cascade"),
        (["0", "1", "eval.sweep=1"], "eval.sweep"),
        (["0", "1", "eval.attacks=fsgm"], "did you mean 'fgsm'"),
        (["0", "1", "train.lr=1"], "trained already"),
        (["0", "1", "eval.n_test=100000"], "images to attack"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], said: str, checkpoints: list[str], here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [checkpoints[int(word)] if word.isdigit() else word for word in words]
    assert run_command(["transfer", *given]) == 2
    error = capfd.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not list(here.iterdir())


def test_networks_for_images_of_different_sizes_are_refused() -> None:
    network = GivenModel(ModelSource("a/net.pt"), "net")
    with pytest.raises(InputError, match=r"same data but got .*16.*8"):
        combine([(load("quickstart", [f"data.size={size}"]), network) for size in (8, 16)])
