"""The run to which a checkpoint belongs, also if files of that run are damaged."""

from __future__ import annotations

import gc
import json
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from torch import nn

from nas.cli.main import run_command
from nas.commands.eval import Eval
from nas.core.data import EARLIER_DATA_DEFAULTS
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.runs import given_model, run_folder
from nas.runs.given_model import evaluation_settings, run_of
from nas.runs.stages import eval_stage
from nas.search_spaces import NASBench201
from nas.settings import schema
from nas.train import TrainedNetwork

FAST = ("eval.n_test=8", "eval.batch_size=4", "eval.attacks=fgsm", "eval.sweep=[]", "executor.workers=1")


def saved(path: Path) -> Path:
    """A checkpoint of a small network for digits of 8 pixels."""
    arch = str(NASBench201().sample(Random(1)))
    size = {"channels": 4, "cells_per_stage": 1}
    data = {"name": "digits", "size": 8}
    trained = TrainedNetwork("best", "nasbench201", arch, size, 10, 8, [0.5] * 3, [0.2] * 3, data, "pgd", 0.1)
    checkpoint.save(path, {"kind": "network", **trained.export(trained.build().state_dict())})
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The checkpoint of a run that attacks by MI-FGSM."""
    chosen = schema.load("quickstart", [f"run.dir={tmp_path / 'run'}", "eval.attacks=mifgsm"])
    with run_folder.create("run", chosen):
        return saved(tmp_path / "run" / "models" / "best-pgd" / "best.pt")


def damaged(config: Path) -> None:
    config.write_text(config.read_text()[:-30])


def changed(config: Path) -> None:
    config.write_text(config.read_text().replace("mifgsm", "pgd20"))


def test_attacks_are_those_of_the_run(trained: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings, _ = evaluation_settings(str(trained), [], Eval().reader())
    assert settings.eval.attacks == ["mifgsm"]
    assert not caplog.records


@pytest.mark.parametrize("damage", [damaged, changed, Path.unlink])
def test_attacks_are_the_default_ones_and_that_is_said_if_the_run_cannot_tell_its_own(
    damage: Callable[[Path], None], trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained.parents[2]
    damage(run / "config.json")
    assert run_of(trained) == run
    with caplog.at_level(logging.WARNING, "nas"):
        settings, _ = evaluation_settings(str(trained), [], Eval().reader())
    assert settings.eval.attacks == schema.Settings().eval.attacks
    (said,) = (record.getMessage() for record in caplog.records)
    assert "config.json" in said
    assert said.endswith("The attacks are the default ones, not those of that run.")


def test_a_folder_with_a_file_of_that_name_is_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = saved(tmp_path / "models" / "best.pt")
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    assert run_of(path) is None
    settings, _ = evaluation_settings(str(path), [], Eval().reader())
    assert settings.eval.attacks == schema.Settings().eval.attacks
    assert not caplog.records


def test_the_network_that_was_checked_is_gone_when_the_evaluation_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With one worker the evaluation runs in this process, whose memory would contain both networks."""
    monkeypatch.chdir(tmp_path)
    checked: list[weakref.ref[nn.Module]] = []
    read, evaluate = given_model.read, eval_stage.evaluate

    def noted(path: Path) -> Any:
        network, description = read(path)
        checked.append(weakref.ref(network))
        return network, description

    def alone(*arguments: Any) -> Any:
        gc.collect()
        assert [network() for network in checked] == [None]
        return evaluate(*arguments)

    monkeypatch.setattr(given_model, "read", noted)
    monkeypatch.setattr(eval_stage, "evaluate", alone)
    torch.manual_seed(0)
    assert run_command(["eval", str(saved(tmp_path / "net.pt")), *FAST, "--json"]) == 0, capfd.readouterr().err
    assert json.loads(capfd.readouterr().out)["n_test"] == 8


def test_a_checkpoint_of_before_data_had_an_order_has_the_one_of_then(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt")
    settings, _ = evaluation_settings(str(path), [], Eval().reader())
    assert settings.data.order == EARLIER_DATA_DEFAULTS["order"]


def test_options_of_networks_from_elsewhere_are_refused_for_one_of_ours(trained: Path) -> None:
    with pytest.raises(InputError, match=r"no eval\.normalise"):
        evaluation_settings(str(trained), ["eval.normalise=none"], Eval().reader())


def test_a_study_is_not_the_run_of_a_checkpoint(tmp_path: Path) -> None:
    with run_folder.create("study", schema.load("quickstart", [f"run.dir={tmp_path / 'study'}"])):
        path = saved(tmp_path / "study" / "models" / "best.pt")
    assert run_of(path) is None


@pytest.mark.parametrize(("folders", "found"), [("a/b/c", True), ("a/b/c/d", False)])
def test_a_run_is_looked_for_three_folders_above_that_of_the_checkpoint(
    folders: str, found: bool, tmp_path: Path
) -> None:
    with run_folder.create("run", schema.load("quickstart", [f"run.dir={tmp_path / 'run'}"])):
        path = saved(tmp_path / "run" / folders / "net.pt")
    assert run_of(path) == (tmp_path / "run" if found else None)
