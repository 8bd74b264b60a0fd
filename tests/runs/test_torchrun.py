"""`torchrun -m nas train` is one run with several processes; `torchrun` with other commands is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.commands.base import Output
from nas.commands.run import Run
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.runs.torchrun import join_processes, under_torchrun

ROOT = Path(__file__).resolve().parents[2]
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
SMALL = ("data.size=8", "model.channels=4", "train.epochs=2", "train.batch_size=200", "executor.workers=1")


def test_several_processes_are_those_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert not under_torchrun()
    with join_processes() as first:
        assert first
    monkeypatch.setenv("WORLD_SIZE", "2")  # as some clusters do for every process
    assert not under_torchrun()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert under_torchrun()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not under_torchrun()


def test_other_commands_are_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(InputError, match=r"nas train or nas resume"):
        Run().call(Output(), config="quickstart", overrides=[])


def launched(*arguments: str, cwd: Path, processes: int = 0) -> subprocess.CompletedProcess[str]:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)) if processes else ()
    return subprocess.run(
        [sys.executable, *torchrun, "-m", "nas", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_a_run_of_two_processes_is_that_of_one_and_resumes(tmp_path: Path) -> None:
    command = ("train", "quickstart", f"arch={CELL}", *SMALL, "--json")
    two = launched(*command, "run.dir=two", cwd=tmp_path, processes=2)
    assert two.returncode == 0, two.stderr
    one = launched(*command, "run.dir=one", cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    first, second = (json.loads(done.stdout) for done in (one, two))  # only one process prints, one line
    assert second["val_accuracy"] == pytest.approx(first["val_accuracy"], abs=0.02)
    losses = [
        [
            e["train_loss"]
            for e in checkpoint.load(tmp_path / n / "models/model/last.pt", "training")["state"]["history"]
        ]
        for n in ("one", "two")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    (tmp_path / "two/result.json").unlink()
    again = launched("resume", "two", "--json", cwd=tmp_path, processes=2)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["val_accuracy"] == second["val_accuracy"]


@pytest.mark.slow
def test_bad_settings_end_all_processes(tmp_path: Path) -> None:
    done = launched("train", "quickstart", f"arch={CELL}", "train.epochs=0", cwd=tmp_path, processes=2)
    assert done.returncode != 0
    assert "train.epochs" in done.stderr
    assert not (tmp_path / "runs").exists()
