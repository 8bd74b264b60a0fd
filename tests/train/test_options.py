"""Each option of a training does what it says, against a closed form or the same training written another way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.core.errors import InputError, NasError
from nas.core.io import checkpoint
from nas.core.optimisation.distributed import Processes
from nas.core.optimisation.task import LoopState
from nas.search_spaces import Network
from nas.train import TrainedNetwork, TrainSettings, load_trained, train
from nas.train.awp import perturbed_weights
from nas.train.methods.base import Criterion
from nas.train.methods.standard import Standard
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


def model_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "last.pt", "training")["model"]


def batch_of(dataset: Dataset, count: int = 16) -> tuple[Tensor, Tensor]:
    return dataset.train.images[:count] / 255, dataset.train.labels[:count]


def task_of(dataset: Dataset, describe: Describe, settings: TrainSettings, **size: Any) -> Classification:
    torch.manual_seed(0)
    task = Classification(describe(**size).build(), dataset, settings, describe(**size), CPU, 0)
    task.model.train()
    return task


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


# the loss


def test_label_smoothing_mixes_in_the_mean_over_classes(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    x, y = batch_of(dataset)
    task = task_of(dataset, describe, recipe(label_smoothing=0.2))
    got = task.gradients((x, y, x), lambda loss: loss)
    log = task_of(dataset, describe, recipe()).model(x).log_softmax(1)
    expected = -(0.8 * log[torch.arange(16), y] + 0.2 * log.mean(1)).mean()
    torch.testing.assert_close(got, expected.detach(), rtol=1e-5, atol=1e-6)


def test_accumulated_parts_add_up_to_the_mean_over_the_batch(
    dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    """Of unequal parts, each with batch statistics of its own."""
    x, y = batch_of(dataset)
    task = task_of(dataset, describe, recipe(accumulate=3))
    got = task.gradients((x, y, x), lambda loss: loss)
    network = task_of(dataset, describe, recipe()).model
    losses = [
        F.cross_entropy(network(x[s]), y[s], reduction="sum") / 16 for s in (slice(6), slice(6, 11), slice(11, 16))
    ]
    sum(losses).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(got, sum(losses).detach(), rtol=1e-5, atol=1e-6)  # type: ignore[union-attr]
    for first, second in zip(gradients(task.model), gradients(network)):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)


# adversarial weight perturbation


def test_weights_are_perturbed_along_their_gradient_by_their_own_size(dataset: Dataset, describe: Describe) -> None:
    torch.manual_seed(0)
    network: Network = describe().build().train()
    x, y = batch_of(dataset)
    loss = F.cross_entropy(network(x), y)
    slopes = dict(
        zip([name for name, _ in network.named_parameters()], torch.autograd.grad(loss, list(network.parameters())))
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with perturbed_weights(network, (F.cross_entropy(network(x), y) for _ in range(1)), 0.02, Processes()):
        for name, weight in network.named_parameters():
            w, g = before[name], slopes[name]
            expected = w + 0.02 * w.norm() * g / g.norm() if w.dim() > 1 else w
            torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)
        assert F.cross_entropy(network(x), y) > loss
    for name, value in network.state_dict().items():
        if "running" not in name and "batches" not in name:
            assert torch.equal(value, before[name])
    assert (
        int(network.state_dict()["body.last.0.num_batches_tracked"]) == 2
    )  # the first pass here, the one in the block


def test_awp_takes_the_gradient_at_the_perturbed_weights(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    x, y = batch_of(dataset)
    task = task_of(dataset, describe, recipe(awp=0.05, awp_warmup=1))
    plain = task_of(dataset, describe, recipe())
    plain.gradients((x, y, x), lambda loss: loss)
    task.begin_epoch(0, torch.Generator())
    task.gradients((x, y, x), lambda loss: loss)
    assert all(torch.equal(a, b) for a, b in zip(gradients(task.model), gradients(plain.model)))  # warm-up
    task.begin_epoch(1, torch.Generator())
    task.model.zero_grad()
    task.gradients((x, y, x), lambda loss: loss)
    network = plain.model
    network.zero_grad()
    with perturbed_weights(network, (F.cross_entropy(network(x), y) for _ in range(1)), 0.05, Processes()):
        F.cross_entropy(network(x), y).backward()
    for first, second in zip(gradients(task.model), gradients(network)):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)


@pytest.mark.landing
@pytest.mark.parametrize("method", ["pgd", "trades", "free"])
def test_awp_trains_with_every_kind_of_loss(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    settings = recipe(method=method, awp=0.005, epochs=2, accumulate=2, free_replays=2, eps=0.05, step_size=0.02)
    _, state = train(describe(training=method), dataset, settings, tmp_path, 0, CPU)
    assert state.history[1]["train_loss"] < state.history[0]["train_loss"]


# the average


def test_the_average_is_validated_and_kept_and_the_weights_go_on_without_it(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    plain = train(describe(), dataset, recipe(), tmp_path / "plain", 1, CPU)[1]
    path, state = train(describe(), dataset, recipe(ema=0.5), tmp_path / "ema", 1, CPU)
    assert [e["train_loss"] for e in state.history] == [e["train_loss"] for e in plain.history]
    last = checkpoint.load(tmp_path / "ema/last.pt", "training")
    final = checkpoint.load(tmp_path / "ema/final.pt", "network")["weights"]
    assert all(torch.equal(value, last["model"][name]) for name, value in model_of(tmp_path / "plain").items())
    assert all(torch.equal(value, last["average"]["average"][name]) for name, value in final.items())
    assert not torch.equal(final["body.classifier.weight"], last["model"]["body.classifier.weight"])
    network, _ = load_trained(path)
    with torch.no_grad():
        right = network(dataset.validation.images / 255).argmax(1) == dataset.validation.labels
    assert right.double().mean().item() == pytest.approx(state.history[state.best_epoch]["val_accuracy"])


# what is kept


def test_the_last_network_is_kept_beside_the_best(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    train(describe(), dataset, recipe(epochs=3), tmp_path, 1, CPU)
    payload = checkpoint.load(tmp_path / "final.pt", "network")
    assert payload["epoch"] == 3
    assert all(torch.equal(value, payload["weights"][name]) for name, value in model_of(tmp_path).items())
    load_trained(tmp_path / "final.pt")


# precision


@pytest.mark.landing
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("method", ["standard", "pgd"])
def test_lower_precision_learns_the_same(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, precision: str, method: str
) -> None:
    def run(precision: str) -> LoopState:
        changes = {"epochs": 4, "cutout": 0, "lr": 0.05, "eps": 0.02, "step_size": 0.015, "steps": 2}
        settings = recipe(precision=precision, method=method, validation_steps=1, **changes)
        return train(describe(), dataset, settings, tmp_path / precision, 0, CPU)[1]

    full, low = run("fp32"), run(precision)
    assert low.history[0]["train_loss"] != full.history[0]["train_loss"]
    assert low.history[0]["train_loss"] == pytest.approx(full.history[0]["train_loss"], rel=0.05)
    assert low.history[-1]["train_loss"] < 0.8 * low.history[0]["train_loss"]
    payload = checkpoint.load(tmp_path / precision / "last.pt", "training")
    assert payload["model"]["body.classifier.weight"].dtype == torch.float32
    assert bool(payload["scaler"]) == (precision == "fp16")


def test_gradients_of_images_do_not_underflow_in_half_precision(
    dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    x, y = batch_of(dataset)
    task = task_of(dataset, describe, recipe(precision="fp16", method="pgd", eps=0.1, step_size=0.1, steps=1))
    moved = task.method.examples(x, y, x) != x
    assert moved[(x > 0) & (x < 1)].double().mean() > 0.95


def test_convolutions_run_in_the_precision_asked_for(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    for precision, expected in (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)):
        task = task_of(dataset, describe, recipe(precision=precision))
        seen: list[torch.dtype] = []
        task.model.body.stem[0].register_forward_hook(lambda m, i, out, seen=seen: seen.append(out.dtype))  # type: ignore
        x, y = batch_of(dataset)
        task.gradients((x, y, x), lambda loss: loss)
        task.validate(0)
        assert set(seen) == {expected}


# compilation


def test_compile_compiles_what_steps_and_attacks_call(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def record(module: nn.Module) -> Callable[..., Any]:
        def forward(*inputs: Tensor) -> Any:
            calls.append(type(module).__name__)
            return module(*inputs)

        return forward

    monkeypatch.setattr(torch, "compile", record)
    plain = train(describe(), dataset, recipe(method="pgd", epochs=1), tmp_path / "plain", 0, CPU)[1]
    assert not calls
    compiled = train(describe(), dataset, recipe(method="pgd", epochs=1, compile=True), tmp_path / "c", 0, CPU)[1]
    assert compiled.history == plain.history
    assert calls.count("OutputsOfInputs") == 3  # steps
    assert calls.count("Network") == 3 * 3 + 1 + 2 + 1  # attack steps; validation: clean, its attack, attacked


@pytest.mark.slow
def test_a_compiled_training_is_the_same_up_to_rounding(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    plain, compiled = (
        train(describe(), dataset, recipe(epochs=1, compile=on), tmp_path / str(on), 0, CPU)[1] for on in (False, True)
    )
    assert compiled.history[0]["train_loss"] == pytest.approx(plain.history[0]["train_loss"], rel=1e-3)


# divergence


def test_a_loss_beyond_the_limit_stops_within_the_epoch(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    loss = Standard.loss

    def explodes(method: Standard, outputs: Any, y: Tensor, criterion: Criterion) -> Tensor:
        seen.append(1)
        return loss(method, outputs, y, criterion) * (1e6 if len(seen) > 2 else 1.0)

    monkeypatch.setattr(Standard, "loss", explodes)
    with pytest.raises(NasError, match=r"diverged: the loss became .*e\+.* in epoch 1"):
        train(describe(), dataset, recipe(batch_size=6, check_steps=4, epochs=9), tmp_path, 0, CPU)
    assert len(seen) == 4  # batches: no more than check_steps after it happened


def test_ruined_weights_are_never_saved(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of the second epoch ruins a weight; no loss has shown it yet."""
    gradients, seen = Classification.gradients, []

    def ruins(task: Classification, batch: Any, scale: Any) -> Tensor:
        loss = gradients(task, batch, scale)
        seen.append(1)
        if len(seen) == 6:
            weight = task.model.body.classifier.weight.grad  # type: ignore[union-attr]
            assert isinstance(weight, Tensor)
            weight.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Classification, "gradients", ruins)
    with pytest.raises(NasError, match=r"not finite .* in epoch 2; the last good checkpoint is .*last\.pt"):
        train(describe(), dataset, recipe(clip=None), tmp_path, 0, CPU)
    assert all(value.isfinite().all() for value in model_of(tmp_path).values())
    assert checkpoint.load(tmp_path / "best.pt", "network")["epoch"] == 1


# refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": "cosin"}, "cosine or step"),
        ({"precision": "fp8"}, "fp32 or bf16"),
        ({"accumulate": 0}, "accumulate"),
        ({"milestones": [5, 3]}, "rising"),
        ({"warmup": 1.0, "schedule": "onecycle"}, "rise"),
        ({"warmup": 9.0}, "warmup"),
        ({"ema": 1.5}, "ema"),
        ({"free_replays": 0}, "free_replays"),
        ({"fgsm_alpha": 0.0}, "fgsm_alpha"),
        ({"save_steps": 0}, "save_steps"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
    ],
)
def test_impossible_settings_are_told(recipe: Recipe, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        recipe(**changes)
