"""Training: it learns, resumes to the same bits, and uses every image once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training_states import CPU, Describe, Recipe, Stop, accuracy, same, state_of

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.optimisation.task import LoopState
from nas.objectives.short_training import LabelSettings
from nas.train import check_recipe, load_trained, train
from nas.train.training import Classification

# learning


@pytest.mark.landing
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


# resumption


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("nasbench201", {}, {"method": "standard"}),
    ("nasbench201", {}, {"method": "pgd", "select": "last"}),
    ("darts", {"auxiliary": True}, {"method": "standard", "drop_path": 0.3}),
]


@pytest.mark.landing
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
    with pytest.raises(InputError, match=r"Expected label\.drop_path=0"):
        check_recipe(LabelSettings(drop_path=0.1), describe().build())
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
