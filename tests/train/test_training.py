"""Training against a literal reference, its resumption, and what it may and may not look at."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset, Split
from nas.core.errors import InputError, NasError
from nas.core.io import checkpoint
from nas.core.optimisation.task import LoopState
from nas.core.seeds import derive
from nas.search_spaces import Network
from nas.train import METHODS, TrainedNetwork, TrainSettings, check_recipe, load_trained, train
from nas.train.methods.base import Criterion
from nas.train.methods.standard import Standard
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


class Stop(Exception):
    """What interrupts the runs below."""


def state_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "last.pt", "training")["model"]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def accuracy(network: Network, split: Split) -> float:
    with torch.no_grad():
        return (network(split.images / 255).argmax(1) == split.labels).double().mean().item()


def noise(count: int = 90) -> Tensor:
    """Images of no class."""
    return torch.randint(0, 256, (count, 3, 8, 8), generator=torch.Generator().manual_seed(9)).to(torch.uint8)


# learning


@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_it_learns_a_separable_task(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    settings = recipe(method=method, epochs=8, eps=0.05, step_size=0.02, cutout=0)
    path, state = train(describe(training=method), dataset, settings, tmp_path, 0, CPU)
    first, last = state.history[0], state.history[-1]
    assert last["train_loss"] < 0.5 * first["train_loss"]
    assert state.best >= 0.9
    network, _ = load_trained(path)
    assert accuracy(network, dataset.validation) >= 0.9
    if method == "pgd":
        assert all(entry["val_robust_accuracy"] <= entry["val_accuracy"] for entry in state.history)
        assert state.best == max(entry["val_robust_accuracy"] for entry in state.history)
    else:
        assert "val_robust_accuracy" not in first
        assert state.best == max(entry["val_accuracy"] for entry in state.history)


# a literal reference


def literal(
    trained: TrainedNetwork, dataset: Dataset, settings: TrainSettings, seed: int
) -> tuple[dict[str, Tensor], list[float]]:
    """The same training in plain torch: no shared loop, optimiser, schedule, projection or attack."""
    torch.manual_seed(derive(seed, "weights"))
    network = trained.build().to(memory_format=torch.channels_last)
    velocity = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    images, labels = dataset.train.images, dataset.train.labels
    size = settings.batch_size
    steps = len(labels) // size
    losses = []
    for epoch in range(settings.epochs):
        generator = torch.Generator().manual_seed(derive(seed, "epoch", epoch))
        order = torch.randperm(len(labels), generator=generator)
        for step in range(steps):
            chosen = order[step * size : (step + 1) * size]
            y = labels[chosen]
            x = (images[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
            if settings.method == "pgd":
                noise = torch.empty_like(x).uniform_(-settings.eps, settings.eps, generator=generator)
                x_adv = (x + noise).clamp(0, 1)
                network.eval()
                for _ in range(settings.steps):
                    x_adv = x_adv.detach().requires_grad_(True)
                    network.zero_grad()
                    F.cross_entropy(network(x_adv), y).backward()
                    assert x_adv.grad is not None
                    moved = x_adv.detach() + settings.step_size * x_adv.grad.sign()
                    moved = x + (moved - x).clamp(-settings.eps, settings.eps)
                    x_adv = moved.clamp(0, 1)
                x = x_adv.detach()
            network.train()
            network.zero_grad()
            loss = F.cross_entropy(network(x), y)
            loss.backward()
            losses.append(loss.item())
            norm = math.sqrt(sum((p.grad**2).sum().item() for p in network.parameters() if p.grad is not None))
            assert settings.clip is not None
            factor = min(1.0, settings.clip / (norm + 1e-6))
            share = (epoch * steps + step) / (settings.epochs * steps)
            rate = settings.lr_min + (settings.lr - settings.lr_min) * (1 + math.cos(math.pi * share)) / 2
            with torch.no_grad():
                for name, p in network.named_parameters():
                    assert p.grad is not None
                    g = p.grad * factor + settings.weight_decay * p
                    velocity[name] = settings.momentum * velocity[name] + g
                    p -= rate * (g + settings.momentum * velocity[name])  # Nesterov
    return network.state_dict(), losses


@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_weights_and_statistics_are_those_of_the_literal_reference(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    """Adversarial batches come from eval mode: one forward in train mode per step reaches the statistics."""
    settings = recipe(method=method, epochs=2, crop=0, flip=False, cutout=0, lr_min=0.01, weight_decay=0.01, clip=1.0)
    trained = describe(training=method)
    _, state = train(trained, dataset, settings, tmp_path, 3, CPU)
    expected, losses = literal(trained, dataset, settings, 3)
    got = state_of(tmp_path)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-5, msg=name)
    counts = {value.item() for name, value in got.items() if name.endswith("num_batches_tracked")}
    assert counts == {6}  # 60 // 16 = 3 steps, 2 epochs
    assert [entry["train_loss"] for entry in state.history] == pytest.approx(
        [sum(losses[:3]) / 3, sum(losses[3:]) / 3], rel=1e-4
    )
    other, _ = literal(trained, dataset, settings, 4)
    assert not torch.allclose(other["body.classifier.weight"], got["body.classifier.weight"], atol=1e-3)


def test_the_attack_is_not_random_noise(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    torch.manual_seed(0)
    settings = recipe(method="pgd", steps=7)
    task = Classification(describe().build(), dataset, settings, describe(), CPU, 0)
    x, y = dataset.train.images[:30] / 255, dataset.train.labels[:30]
    start = task.method.draw(x, torch.Generator().manual_seed(0), None)
    x_adv = task.method.examples(x, y, start)
    assert (x_adv - x).abs().max() <= settings.eps + 1e-6
    assert ((x_adv - x).abs() > 0.9 * settings.eps).double().mean() > 0.5
    with torch.no_grad():
        task.model.eval()
        assert F.cross_entropy(task.model(x_adv), y) > F.cross_entropy(task.model(x), y)


# resumption


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nasbench201", {}, {"method": "standard"}),
    ("nasbench201", {}, {"method": "pgd", "select": "last"}),
    ("darts", {"auxiliary": True}, {"method": "standard", "drop_path": 0.3}),
]


@pytest.mark.parametrize(("space", "size", "changes"), CASES, ids=["standard", "pgd", "darts"])
def test_an_interrupted_training_ends_bit_for_bit_as_an_uninterrupted_one(
    tmp_path: Path,
    dataset: Dataset,
    describe: Describe,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    space: str,
    size: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    trained, settings = describe(space, **size), recipe(**changes)

    def run(name: str, progress: Any = lambda done, total, note: None) -> tuple[Path, LoopState]:
        return train(trained, dataset, settings, tmp_path / name, 5, CPU, progress)

    def after_one(done: int, total: int, note: str) -> None:
        if done == 1:
            raise Stop

    whole_path, whole = run("whole")
    with pytest.raises(Stop):
        run("parts", after_one)
    gradients, steps = Classification.gradients, []

    def dies(task: Classification, batch: Any, scale: Any) -> Tensor:
        steps.append(1)
        if len(steps) == 5:  # the second batch of the third epoch
            raise Stop
        return gradients(task, batch, scale)

    with monkeypatch.context() as patched:
        patched.setattr(Classification, "gradients", dies)
        with pytest.raises(Stop):
            run("parts")
    torch.manual_seed(99)  # what the process drew before does not matter
    parts_path, parts = run("parts")
    assert parts.history == whole.history
    assert (parts.best, parts.best_epoch) == (whole.best, whole.best_epoch)
    assert same(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))
    chosen = [checkpoint.load(path, "network") for path in (whole_path, parts_path)]
    assert same(chosen[0]["weights"], chosen[1]["weights"])
    assert chosen[0]["epoch"] == chosen[1]["epoch"]


def test_the_seed_decides_and_the_process_does_not(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    results = []
    for number, seed in enumerate((1, 1, 2)):
        torch.manual_seed(number)
        before = torch.random.get_rng_state()
        train(describe(), dataset, recipe(epochs=1), tmp_path / str(number), seed, CPU)
        assert torch.equal(torch.random.get_rng_state(), before)
        results.append(state_of(tmp_path / str(number)))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


# the guard and the choice


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


# what only some networks have


def test_the_auxiliary_loss_has_its_weight(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = describe("darts", auxiliary=True).build().train()
    x, y = dataset.train.images[:12] / 255, dataset.train.labels[:12]
    logits, auxiliary = network.with_auxiliary(x)
    assert auxiliary is not None
    for weight in (0.0, 0.4, 2.0):
        task = Classification(
            network, dataset, recipe(auxiliary_weight=weight, batch_size=12), describe("darts"), CPU, 0
        )
        expected = F.cross_entropy(logits, y) + weight * F.cross_entropy(auxiliary, y)
        got = task.gradients((x, y, x), lambda loss: loss)
        torch.testing.assert_close(got, expected.detach(), rtol=1e-4, atol=1e-5)
    assert F.cross_entropy(auxiliary, y) > 0.1


def test_drop_path_rises_linearly_to_its_value(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    gradients = Classification.gradients

    def watch(task: Classification, batch: Any, scale: Any) -> Tensor:
        seen.append(float(task.model.body.drop_path))  # type: ignore[arg-type]
        return gradients(task, batch, scale)

    monkeypatch.setattr(Classification, "gradients", watch)
    train(describe("darts"), dataset, recipe(epochs=4, drop_path=0.3, batch_size=60), tmp_path, 0, CPU)
    assert seen == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_drop_path_is_refused_where_there_is_none(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    with pytest.raises(InputError, match=r"train\.drop_path=0"):
        train(describe(), dataset, recipe(drop_path=0.1), tmp_path / "a", 0, CPU)
    assert not (tmp_path / "a").exists()
    check_recipe(recipe(drop_path=0.0), describe().build())
    check_recipe(recipe(drop_path=0.1), describe("darts").build())


def test_a_batch_larger_than_the_data_is_the_data(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    task = Classification(describe().build(), dataset, recipe(batch_size=1000), describe(), CPU, 0)
    assert (task.batch_size, task.steps_per_epoch) == (60, 1)


def test_an_epoch_shows_every_image_once(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    plain = recipe(batch_size=20, crop=0, flip=False, cutout=0)
    task = Classification(describe().build(), dataset, plain, describe(), CPU, 0)
    epochs = []
    for epoch in range(2):
        task.begin_epoch(epoch, torch.Generator().manual_seed(epoch))
        x, y, _ = (torch.cat(values) for values in zip(*task.batches(0)))
        order = [int(i) for i in torch.cdist(x.flatten(1), dataset.train.images.flatten(1) / 255).argmin(1)]
        assert sorted(order) == list(range(60))
        assert torch.equal(y, dataset.train.labels[order])
        epochs.append(order)
    assert epochs[0] != epochs[1]


def test_the_network_trained_is_the_one_described(describe: Describe) -> None:
    for space in ("nasbench201", "darts"):
        trained = describe(space)
        network = trained.build()
        assert trained.params == sum(parameter.numel() for parameter in network.parameters())
        assert network.mean.flatten().tolist() == pytest.approx(trained.mean)
        assert network.std.flatten().tolist() == pytest.approx(trained.std)
        assert isinstance(network, nn.Module)


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
