"""What an epoch is judged by: accuracies over all validation images, the robust one of those right before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.core.seeds import derive
from nas.train import TrainedNetwork, TrainSettings
from nas.train import training as module
from nas.train.training import Classification, check_selection, large_batch_note

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


@pytest.fixture
def task(dataset: Dataset, describe: Describe, recipe: Recipe) -> Callable[..., Classification]:
    def make(seed: int = 3, data: Dataset = dataset, **changes: Any) -> Classification:
        torch.manual_seed(0)
        settings = recipe(**{"eps": 0.07, "step_size": 0.02, "validation_steps": 4, **changes})
        made = Classification(describe().build(), data, settings, describe(), CPU, seed)
        made.model.train()(data.train.images[:16].float() / 255)  # statistics unlike those at the start
        return made

    return make


def right(task: Classification, images: Tensor, labels: Tensor) -> Tensor:
    task.model.eval()
    with torch.no_grad():
        return task.model(images).argmax(1) == labels


@pytest.mark.parametrize("chunk", [1, 7, 29, 30, 31, 500])
def test_every_validation_image_counts_once(
    task: Any, dataset: Dataset, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VALIDATION_BATCH_SIZE", chunk)
    made = task()
    x, y = dataset.validation.images.float() / 255, dataset.validation.labels
    assert made.validate(0) == {"val_accuracy": pytest.approx(right(made, x, y).sum().item() / 30)}


def test_robust_are_images_that_are_right_before_and_after(
    task: Any, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attack that mends every image adds none, one that spoils some takes those."""
    x, y = dataset.validation.images.float() / 255, dataset.validation.labels
    made = task(method="pgd")
    clean = right(made, x, y)
    assert 0 < clean.sum() < 30
    answers = torch.zeros(30, 3)
    for spoilt in ([], [0, 1, 2], list(range(30))):
        after = torch.ones(30, dtype=torch.bool)
        after[spoilt] = False
        answers = F.one_hot(torch.where(after, y, (y + 1) % 3), 3).float()
        real = made.logits
        calls = iter((real, lambda z, said=answers: said))
        monkeypatch.setattr(made, "logits", lambda z, calls=calls: next(calls)(z))
        monkeypatch.setattr(made.method, "attacked", lambda objective, z, start, step, steps: z)
        found = made.validate(0)
        monkeypatch.undo()
        assert found["val_accuracy"] == pytest.approx(clean.sum().item() / 30)
        assert found["val_robust_accuracy"] == pytest.approx((clean & after).sum().item() / 30)


def test_the_attack_of_the_validation_is_the_same_in_every_epoch(
    task: Any, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGD of validation_steps from x + U(-eps, eps) by a seed of each chunk, on the sum of the cross-entropies."""
    monkeypatch.setattr(module, "VALIDATION_BATCH_SIZE", 20)
    made = task(method="trades")
    seen: list[tuple[Tensor, Tensor, float, int, float]] = []

    def attacked(objective: Any, x: Tensor, start: Tensor, step: float, steps: int) -> Tensor:
        seen.append((x, start, step, steps, objective(x).item()))
        return x

    monkeypatch.setattr(made.method, "attacked", attacked)
    for epoch in (0, 5):
        made.validate(epoch)
    assert len(seen) == 4
    for number, first, last in ((0, 0, 20), (1, 20, 30)):
        x = dataset.validation.images[first:last].float() / 255
        generator = torch.Generator().manual_seed(derive(3, "validation", number))
        memory = torch.empty_like(x.contiguous(memory_format=torch.channels_last))
        noise = memory.uniform_(-0.07, 0.07, generator=generator)
        made.model.eval()
        loss = F.cross_entropy(made.model(x), dataset.validation.labels[first:last], reduction="sum").item()
        for x_seen, start, step, steps, objective in (seen[number], seen[number + 2]):
            assert torch.equal(x_seen, x)
            torch.testing.assert_close(start, (x + noise).clamp(0, 1))
            assert (step, steps) == (0.02, 4)
            assert objective == pytest.approx(loss, rel=1e-5)


def test_the_robust_accuracy_chooses_where_there_is_one(task: Any) -> None:
    made = task()
    assert made.selection({"val_accuracy": 0.9, "val_robust_accuracy": 0.2}) == 0.2
    assert made.selection({"val_accuracy": 0.9}) == 0.9
    assert made.selection({"val_accuracy": None, "val_robust_accuracy": None}) is None


@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_without_images_nothing_is_measured(task: Any, dataset: Dataset, method: str) -> None:
    none = Split(dataset.validation.images[:0], dataset.validation.labels[:0])
    found = task(data=replace(dataset, validation=none), method=method).validate(0)
    assert found == dict.fromkeys(["val_accuracy"] + ["val_robust_accuracy"] * (method == "pgd"))


def test_an_incomplete_last_batch_is_left_out(task: Any) -> None:
    for size, batches in ((60, 1), (59, 1), (31, 1), (30, 2), (7, 8), (2, 30)):
        made = task(batch_size=size)
        assert (made.batch_size, made.steps_per_epoch) == (size, batches)
        made.begin_epoch(0, torch.Generator().manual_seed(0))
        assert [len(y) for _, y, _ in made.batches(0)] == [size] * batches
        assert len(list(made.batches(batches - 1))) == 1


def test_the_loss_is_the_mean_over_the_batch_whatever_its_parts(task: Any, dataset: Dataset) -> None:
    """In eval mode parts do not change the statistics."""
    x, y = dataset.train.images[:12].float() / 255, dataset.train.labels[:12]
    losses = []
    for parts in (1, 2, 5):
        made = task(batch_size=12, accumulate=parts)
        made.model.eval()
        losses.append(made.gradients((x, y, x), lambda loss: loss).item())
        assert losses[-1] == pytest.approx(F.cross_entropy(made.model(x), y).item(), rel=1e-5)


def test_drop_path_of_a_single_epoch_is_zero(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    made = Classification(
        describe("darts").build(), dataset, recipe(drop_path=0.3, epochs=1), describe("darts"), CPU, 0
    )
    made.begin_epoch(0, torch.Generator().manual_seed(0))
    assert made.model.body.drop_path == 0


# before a training


@pytest.mark.parametrize(("select", "withheld", "fine"), [("best", 0.1, True), ("last", 0, True), ("best", 0, False)])
def test_the_best_epoch_needs_images_to_judge_by(select: str, withheld: float, fine: bool, recipe: Recipe) -> None:
    settings = recipe(select=select)
    if fine:
        check_selection(settings, withheld)
    else:
        with pytest.raises(InputError, match=r"train\.select=last with data\.validation=0"):
            check_selection(settings, withheld)


def test_a_batch_larger_than_the_data_is_said() -> None:
    assert large_batch_note("label", 10, 10) is None
    assert large_batch_note("label", 9, 10) is None
    words = large_batch_note("label", 11, 10)
    assert words is not None
    assert words.startswith("label.batch_size=11 is more than the 10 images that are trained on")
