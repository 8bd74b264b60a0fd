"""Batches are the same in the same order wherever the images lie and however many shard them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.core.data import Dataset, DataSettings, Split, load
from nas.core.errors import InputError
from nas.core.execution import available_memory
from nas.core.optimisation.shards import BatchShard, divided
from nas.train import TrainedNetwork, TrainSettings, check_parts, train
from nas.train.batches import PREFETCHED_BATCHES, Batches, fits
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


@pytest.mark.parametrize("start", [0, 2, 6, 7])
@pytest.mark.parametrize("shard", [None, BatchShard(8, torch.tensor([1, 4, 5]))])
def test_streamed_ones_are_the_resident_ones(dataset: Dataset, start: int, shard: BatchShard | None) -> None:
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    resident, streamed = (Batches(dataset.train, CPU, here, shard) for here in (True, False))
    first, second = (list(batches.of(order, 8, start)) for batches in (resident, streamed))
    assert len(first) == len(second) == 7 - start  # 60 // 8
    for number, ((x, y), (x_too, y_too)) in enumerate(zip(first, second), start):
        chosen = order[8 * number : 8 * number + 8]
        chosen = chosen if shard is None else chosen[shard.index]
        assert torch.equal(x, dataset.train.images[chosen])
        assert torch.equal(y, dataset.train.labels[chosen])
        assert torch.equal(x, x_too)
        assert torch.equal(y, y_too)


def test_streaming_gathers_a_few_batches_ahead_and_no_more(dataset: Dataset) -> None:
    class Watched(Batches):
        gathered = 0

        def _gathered(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.gathered += 1
            return super()._gathered(positions)

    batches = Watched(dataset.train, CPU, False)
    stream = batches.of(torch.arange(60), 4, 0)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert batches.gathered <= PREFETCHED_BATCHES + 1


def test_a_training_is_the_same_streamed(tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    first, second = (
        train(describe(), dataset, recipe(epochs=2, resident=here), tmp_path / str(here), 3, CPU)[1].history
        for here in (True, False)
    )
    assert first == second


def test_a_training_is_the_same_from_disk(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = dataset.train.images.permute(0, 2, 3, 1).numpy(), dataset.train.labels.numpy()
    np.savez(tmp_path / "colours.npz", images=images, labels=labels)
    histories = []
    for memory, on_disk in ((2**40, False), (1000, True)):
        monkeypatch.setattr(available_memory, "available", lambda memory=memory: memory)
        data = load(DataSettings("npz", str(tmp_path / "colours.npz")))
        assert data.train.on_disk is on_disk
        assert Batches(data.train, CPU).resident is not on_disk
        _, state = train(describe(), data, recipe(epochs=2), tmp_path / str(memory), 3, CPU)
        histories.append(state.history)
    assert histories[0] == histories[1]


def test_images_in_the_processors_memory_are_where_they_belong(dataset: Dataset) -> None:
    assert fits(dataset.train, CPU)
    assert Batches(dataset.train, CPU).split.images.data_ptr() == dataset.train.images.data_ptr()  # no copy


def test_a_gpu_takes_what_fills_half_of_its_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(torch.zeros(10, 3, 4, 4, dtype=torch.uint8), torch.zeros(10, dtype=torch.int64))  # 480 bytes
    for free, expected in ((961, True), (960, True), (959, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, 10**9))
        assert fits(split, torch.device("cuda")) is expected


@pytest.mark.parametrize(("total", "parts", "processes"), [(12, 1, 1), (12, 3, 2), (13, 2, 3), (6, 2, 3), (17, 4, 1)])
def test_shares_divide_every_part_of_a_batch(total: int, parts: int, processes: int) -> None:
    whole = [part.tolist() for part in torch.arange(total).tensor_split(parts)]
    found: list[list[list[int]]] = []
    for rank in range(processes):
        shard, sizes = divided(total, parts, rank, processes)
        assert (shard is None) == (processes == 1)
        index = torch.arange(total) if shard is None else shard.index
        found.append([piece.tolist() for piece in index.split(sizes)])
    for k in range(parts):
        assert [i for pieces in found for i in pieces[k]] == whole[k]
    lengths = [[len(piece) for piece in pieces] for pieces in found]
    assert all(max(of_part) - min(of_part) <= 1 for of_part in zip(*lengths))


def test_a_batch_too_small_to_divide_is_told(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"train\.accumulate"):
        Classification(describe().build(), dataset, recipe(batch_size=4, accumulate=5), describe(), CPU, 0)


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("images", [1, 5, 12, 1000])
def test_parts_of_one_image_are_refused_before_the_start(images: int, processes: int, recipe: Recipe) -> None:
    for batch_size in (2, 3, 7, 12, 13):
        for parts in range(2, 15):
            settings = recipe(batch_size=batch_size, accumulate=parts)
            whole = [len(part) for part in torch.arange(min(batch_size, images)).tensor_split(parts)]
            if min(whole) >= max(2, processes):
                check_parts(settings, images, processes)
                divided(min(batch_size, images), parts, 0, processes)
                continue
            with pytest.raises(InputError, match=r"set train\.accumulate to at most (\d+)") as caught:
                check_parts(settings, images, processes)
            advised = int(re.findall(r"at most (\d+)", str(caught.value))[0])
            check_parts(recipe(batch_size=batch_size, accumulate=advised), images, processes)
            assert ("train.batch_size" in str(caught.value)) == (batch_size < images)


def test_every_batch_of_an_epoch_is_a_whole_one(dataset: Dataset) -> None:
    """So the last one leaves no part of one image either."""
    batches = Batches(dataset.train, CPU)
    size = next(size for size in range(7, len(dataset.train)) if len(dataset.train) % size)
    order = torch.arange(len(dataset.train))
    assert {len(labels) for _, labels in batches.of(order, size, 0)} == {size}
