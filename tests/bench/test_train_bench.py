"""The benchmark of training measures real steps; its limits are a slow test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nas.bench import BENCHES, train
from nas.bench.measuring import loaders
from nas.bench.train import TrainBench
from nas.train import TrainSettings

pytestmark = pytest.mark.landing

SMALL = {"channels": 4, "cells_per_stage": 1}


def test_the_training_benchmark_is_registered() -> None:
    assert BENCHES.get("train") is TrainBench


def test_the_ratios_are_there_and_a_robust_step_costs_more() -> None:
    lines: list[str] = []
    found = train.ratios(lines.append, rounds=3, size=SMALL, batch=8)
    assert set(found["ratios"]) == {"standard_vs_bare", "pgd7_vs_standard", "augmentation"}
    assert found["ratios"]["pgd7_vs_standard"] > 2
    assert 0 < found["ratios"]["augmentation"] < 1
    assert found["images_per_second"]["standard"] > 0
    assert len(lines) == 3


def test_both_steps_move_the_weights_and_a_batch_does_not(tmp_path: Path) -> None:
    for action in ("bare", "step", "batch"):
        steps = train.Steps(TrainSettings(batch_size=8), SMALL, tmp_path)
        steps.begin()
        before = [value.detach().clone() for value in steps.task.model.parameters()]
        train.bare(steps)() if action == "bare" else getattr(steps, action)()
        moved = any(not torch.equal(a, b) for a, b in zip(before, steps.task.model.parameters()))
        assert moved == (action != "batch")


@pytest.mark.filterwarnings("ignore::UserWarning")  # of torchvision's loader, where there is no GPU
def test_whole_epochs_are_measured_beside_the_usual_loop() -> None:
    tiny = loaders.Case("tiny", "darts", {"channels": 4, "cells": 3}, 4, side=8)
    lines: list[str] = []
    found = loaders.throughput(lines.append, (tiny,), steps=2, rounds=1)
    assert set(found["tiny"]) == {"ours fp32", "plain fp32", "ours bf16", "plain bf16"}
    assert all(value > 0 for value in found["tiny"].values())
    assert len(lines) == 1


@pytest.mark.slow
def test_steps_of_training_cost_no_more_than_they_should() -> None:
    found = train.ratios(print, rounds=9)
    assert len(TrainBench().judged(found)) == 3
    assert TrainBench().missed(found) == []
