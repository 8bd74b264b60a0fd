"""Which epoch of a training is chosen, and when a training stops: by validation images or by divergence."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from training_states import CPU, Describe, Recipe, Stop, accuracy, same, state_of

from nas.core.data import Dataset, Split
from nas.core.errors import InputError, NasError
from nas.core.io import checkpoint
from nas.train import METHODS, load_trained, train
from nas.train.methods.base import Criterion
from nas.train.methods.standard import Standard
from nas.train.training import Classification

pytestmark = pytest.mark.landing


def noise(count: int = 90) -> Tensor:
    """Images of no class."""
    return torch.randint(0, 256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(9)).to(torch.uint8)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_epoch(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, steps = Standard.loss, []

    def diverges(method: Standard, outputs: Any, y: Tensor, criterion: Criterion) -> Tensor:
        steps.append(1)
        return loss(method, outputs, y, criterion) * (float("nan") if len(steps) == 5 else 1.0)

    monkeypatch.setattr(Standard, "loss", diverges)
    with pytest.raises(NasError, match="diverged") as caught:
        train(describe(), dataset, recipe(epochs=4), tmp_path, 0, CPU)
    assert not isinstance(caught.value, InputError)
    assert all(value.isfinite().all() for value in state_of(tmp_path).values())
    assert checkpoint.load(tmp_path / "last.pt", "training")["state"]["epoch"] == 1
    load_trained(tmp_path / "best.pt")


def test_a_real_divergence_is_noticed(tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    with pytest.raises(NasError, match="diverged"):
        train(describe(), dataset, recipe(lr=9e5, epochs=20, weight_decay=1.0, clip=None), tmp_path, 0, CPU)


@pytest.mark.parametrize("method", ["standard", "pgd"])
@pytest.mark.parametrize("select", ["best", "last"])
def test_the_chosen_epoch_is_the_best_on_validation_or_the_last(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str, select: str
) -> None:
    settings = recipe(method=method, select=select, epochs=6)
    dataset = dataclasses.replace(dataset, validation=Split(noise(), torch.arange(90) % 3))
    path, state = train(describe(training=method), dataset, settings, tmp_path, 1, CPU)
    key = "val_robust_accuracy" if method == "pgd" else "val_accuracy"
    values = [entry[key] for entry in state.history]
    assert len(set(values)) > 1
    expected = 5 if select == "last" else max(range(6), key=lambda epoch: (values[epoch], epoch))
    assert state.best_epoch == expected
    assert checkpoint.load(path, "network")["epoch"] == expected + 1
    network, _ = load_trained(path)
    assert accuracy(network, dataset.validation) == pytest.approx(state.history[expected]["val_accuracy"])


def test_only_the_validation_part_decides(tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    """With the labels that one epoch's network gives, that epoch is chosen. The test part raises when touched."""
    settings, networks = recipe(epochs=4), []

    def keep(done: int, total: int, note: str) -> None:
        network = describe().build()
        network.load_state_dict(state_of(tmp_path / "first"))
        networks.append(network.eval())

    _, state = train(describe(), dataset, settings, tmp_path / "first", 1, CPU, keep)
    with torch.no_grad():
        predictions = [network(noise() / 255).argmax(1) for network in networks]
    assert not torch.equal(predictions[1], predictions[3])
    for epoch in (1, 3):
        relabelled = dataclasses.replace(dataset, validation=Split(noise(), predictions[epoch]))
        _, other = train(describe(), relabelled, settings, tmp_path / str(epoch), 1, CPU)
        assert same(state_of(tmp_path / "first"), state_of(tmp_path / str(epoch)))
        alike = [number for number in range(4) if torch.equal(predictions[number], predictions[epoch])]
        assert (other.best_epoch, other.best) == (alike[-1], 1.0)
        assert [entry["train_loss"] for entry in other.history] == [entry["train_loss"] for entry in state.history]
    with pytest.raises(AssertionError, match="the test part was touched"):
        _ = dataset.test.images


def test_validation_leaves_the_network_as_it_was(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    torch.manual_seed(0)
    task = Classification(describe().build(), dataset, recipe(method="pgd"), describe(), CPU, 0)
    task.model.train()
    task.model.body.get_submodule("last").eval()
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    modes = [module.training for module in task.model.modules()]
    metrics = task.validate(0)
    assert task.validate(1) == metrics  # the same starts in every epoch
    assert same(before, task.model.state_dict())
    assert [module.training for module in task.model.modules()] == modes
    assert all(parameter.grad is None for parameter in task.model.parameters())


def test_images_whose_logits_are_not_finite_are_wrong_in_validation(
    dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    """Clean and under attack; `argmax` would say class 0 of all of them."""
    task = Classification(describe().build(), dataset, recipe(method="pgd"), describe(), CPU, 0)
    bias = [module for module in task.model.modules() if isinstance(module, torch.nn.Linear)][-1].bias
    part = task.validation_part
    task.validation_part = dataclasses.replace(part, labels=torch.zeros_like(part.labels))
    with torch.no_grad():
        bias[0] = 100
    assert task.validate(0) == {"val_accuracy": 1, "val_robust_accuracy": 1}
    with torch.no_grad():
        bias[0] = torch.nan
    assert task.validate(0) == {"val_accuracy": 0, "val_robust_accuracy": 0}


# without validation images


def without_validation(dataset: Dataset) -> Dataset:
    nothing = Split(dataset.train.images[:0], dataset.train.labels[:0])
    return dataclasses.replace(dataset, validation=nothing)


@pytest.mark.parametrize("method", METHODS.names())
def test_without_validation_images_nothing_is_measured_and_the_last_epoch_is_kept(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    names = ["val_accuracy", *(["val_robust_accuracy"] if METHODS.get(method).adversarial else [])]
    settings = recipe(method=method, select="last", ema=0.9, epochs=2, free_replays=2, steps=2)
    notes: list[str] = []
    path, state = train(
        describe(training=method), without_validation(dataset), settings, tmp_path / "none", 0, CPU,
        lambda done, total, note: notes.append(note),
    )  # fmt: skip
    for row in state.history:
        assert {name: value for name, value in row.items() if name.startswith("val_")} == dict.fromkeys(names)
    assert state.best_epoch == settings.epochs - 1
    assert checkpoint.load(path, "network")["epoch"] == settings.epochs
    assert "train_loss" in notes[-1]
    assert not any("val_" in note or "nan" in note for note in notes)
    _, watched = train(describe(training=method), dataset, settings, tmp_path / "some", 0, CPU)
    assert same(state_of(tmp_path / "none"), state_of(tmp_path / "some")), "validation changes no weight"
    assert [row["train_loss"] for row in state.history] == [row["train_loss"] for row in watched.history]


def test_without_validation_images_a_stopped_training_goes_on_and_draws_no_curve_of_accuracies(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    data, settings = without_validation(dataset), recipe(select="last")
    _, whole = train(describe(), data, settings, tmp_path / "whole", 0, CPU)

    def stop(done: int, total: int, note: str) -> None:
        raise Stop

    with pytest.raises(Stop):
        train(describe(), data, settings, tmp_path / "parts", 0, CPU, stop)
    _, state = train(describe(), data, settings, tmp_path / "parts", 0, CPU)
    assert state.history == whole.history
    assert same(state_of(tmp_path / "parts"), state_of(tmp_path / "whole"))
    curves = EventAccumulator(str(tmp_path / "whole/tensorboard"))
    curves.Reload()
    assert set(curves.Tags()["scalars"]) == {"train_loss", "lr"}


def test_no_best_epoch_without_validation_images(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    with pytest.raises(InputError, match=r"set train\.select=last, or data\.validation above 0"):
        train(describe(), without_validation(dataset), recipe(), tmp_path / "a", 0, CPU)
    assert not (tmp_path / "a").exists()
