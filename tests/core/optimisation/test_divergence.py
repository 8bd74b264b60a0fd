"""Divergence of a training is recognised by its losses since the last check, and by its weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.core.errors import InputError, NasError
from nas.core.optimisation.distributed import Processes, current
from nas.core.optimisation.divergence import DivergenceCheck
from nas.core.optimisation.shards import BatchShard, divided


def test_the_mean_is_over_the_epoch_and_the_limit_over_what_is_new(tmp_path: Path) -> None:
    check = DivergenceCheck(tmp_path / "last.pt", 10.0)
    check.begin(0.0, 0)
    assert check.mean(8.0, 4, 0) == 2.0
    assert check.mean(28.0, 6, 0) == pytest.approx(28 / 6)  # 10 a step since then: just at the limit
    assert check.mean(28.0, 6, 0) == pytest.approx(28 / 6)  # no new step
    with pytest.raises(NasError, match=r"the loss became 10\.5 in epoch 3"):
        check.mean(49.0, 8, 2)


def test_an_epoch_goes_on_from_its_middle(tmp_path: Path) -> None:
    check = DivergenceCheck(tmp_path / "last.pt", 10.0)
    check.begin(1000.0, 50)
    assert check.mean(1010.0, 51, 0) == pytest.approx(1010 / 51)
    check.begin(0.0, 0)
    with pytest.raises(NasError, match="became 1010"):
        check.mean(1010.0, 1, 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_told_with_what_is_left(bad: float, tmp_path: Path) -> None:
    for there in (False, True):
        last = tmp_path / "last.pt"
        if there:
            last.touch()
        check = DivergenceCheck(last, 1e3)
        check.begin(0.0, 0)
        words = rf"the last good checkpoint is {last}" if there else "there is no good checkpoint yet"
        with pytest.raises(NasError, match=rf"in epoch 1; {words}\. Lower train\.lr or set train\.clip"):
            check.mean(bad, 3, 0)


@pytest.mark.parametrize("name", ["weight", "running_var"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_ruined_weights_and_statistics_are_seen(name: str, bad: float, tmp_path: Path) -> None:
    layer = nn.BatchNorm2d(3)
    check = DivergenceCheck(tmp_path / "last.pt", 1e3)
    check.check(layer, 0)
    getattr(layer, name).data[1] = bad
    with pytest.raises(NasError, match=r"not finite any more in epoch 5"):
        check.check(layer, 4)


# in one process, or in one of several


def test_a_process_alone_is_the_first_and_keeps_what_it_has() -> None:
    alone = current()
    assert alone == Processes(0, 1)
    value = torch.tensor([1.0, 2.0])
    assert alone.sum(value) is value
    assert alone.gather({"a": 1}) == [{"a": 1}]
    assert alone.broadcast((True, 3)) == (True, 3)
    assert (Processes(0, 2).first, Processes(1, 2).first) == (True, False)


def test_a_share_holds_the_rows_of_its_images() -> None:
    shard = BatchShard(6, torch.tensor([4, 0, 5]))
    assert shard.of(torch.arange(12).view(6, 2)).tolist() == [[8, 9], [0, 1], [10, 11]]
    assert shard.on(torch.device("cpu")).index.tolist() == [4, 0, 5]
    assert shard.on(torch.device("cpu")).total == 6


def test_a_batch_needs_an_image_for_every_part_and_process() -> None:
    assert divided(6, 2, 0, 3)[1] == [1, 1]
    with pytest.raises(InputError, match=r"at least 6 images for 2 part\(s\) on 3 process\(es\) but got 5"):
        divided(5, 2, 0, 3)
    assert divided(5, 2, 0, 1) == (None, [3, 2])
    shard, sizes = divided(7, 2, 1, 2)
    assert shard is not None
    assert (shard.total, shard.index.tolist(), sizes) == (7, [2, 3, 6], [2, 1])
