"""After a signal, all processes of a training save the same step, and continue from it to the same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nas.core.io import checkpoint

ROOT = Path(__file__).resolve().parents[2]
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
EPOCH_STEPS = 53  # batches of 24 training images
SAVED_BATCH = 2  # of the second epoch: the only checkpoint that is written within an epoch if nothing is interrupted
SMALL = (
    *("data.size=8", "model.channels=4", "train.epochs=2", "train.batch_size=24", "train.check_steps=2"),
    *(f"train.save_steps={EPOCH_STEPS + SAVED_BATCH}", "executor.workers=1", f"arch={CELL}"),
)


def start_torchrun(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "nas")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *torchrun, *arguments], cwd=cwd, env=environment, text=True)


@pytest.mark.slow
def test_torchrun_is_told_to_end_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    assert start_torchrun("train", "quickstart", *SMALL, "run.dir=whole", cwd=tmp_path).wait() == 0
    last = Path("models/model/last.pt")
    process = start_torchrun("train", "quickstart", *SMALL, "run.dir=run", cwd=tmp_path)
    second_save = tmp_path / "run" / last.with_name("last.previous.pt")  # exists from the second checkpoint on
    while not second_save.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait() != 0
    state = checkpoint.load(tmp_path / "run" / last, "training")["state"]
    assert state["epoch"] == 1
    assert state["batch"] % 2 == 0
    assert SAVED_BATCH < state["batch"] < EPOCH_STEPS
    assert start_torchrun("resume", "run", cwd=tmp_path).wait() == 0
    networks = [checkpoint.load(tmp_path / run / last, "training")["model"] for run in ("whole", "run")]
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])
