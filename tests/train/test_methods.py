"""Every training method against its paper's algorithm written down plainly."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.seeds import derive
from nas.search_spaces import NASBench201, Network
from nas.train import METHODS, TrainedNetwork, TrainSettings, adversarial, train
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]
PLAIN: dict[str, Any] = {"crop": 0, "flip": False, "cutout": 0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}


def into_the_ball(moved: Tensor, x: Tensor, eps: float) -> Tensor:
    return (x + (moved - x).clamp(-eps, eps)).clamp(0, 1)


def gradient(value: Tensor, at: Tensor) -> Tensor:
    return torch.autograd.grad(value, at)[0]


def fgsm_loss(network: Network, x: Tensor, y: Tensor, settings: TrainSettings, generator: torch.Generator) -> Tensor:
    """Wong et al., algorithm 3: delta ~ U(-eps, eps); delta <- clip(delta + alpha·sign(grad))."""
    noise = torch.empty_like(x).uniform_(-settings.eps, settings.eps, generator=generator)
    network.eval()
    x_adv = (x + noise).clamp(0, 1).requires_grad_(True)
    slope = gradient(F.cross_entropy(network(x_adv), y), x_adv)
    x_adv = into_the_ball(x_adv.detach() + settings.fgsm_alpha * settings.eps * slope.sign(), x, settings.eps)
    network.train()
    return F.cross_entropy(network(x_adv), y)


def trades_loss(network: Network, x: Tensor, y: Tensor, settings: TrainSettings, generator: torch.Generator) -> Tensor:
    """Zhang et al., algorithm 1."""
    x_adv = x + 0.001 * torch.empty_like(x).normal_(generator=generator)
    network.eval()
    with torch.no_grad():
        p = network(x).log_softmax(1)
    for _ in range(settings.steps):
        x_adv = x_adv.detach().requires_grad_(True)
        slope = gradient((p.exp() * (p - network(x_adv).log_softmax(1))).sum(), x_adv)
        x_adv = into_the_ball(x_adv.detach() + settings.step_size * slope.sign(), x, settings.eps)
    network.train()
    clean, attacked = network(x), network(x_adv.detach())
    p, q = clean.softmax(1), attacked.softmax(1)
    return F.cross_entropy(clean, y) + settings.trades_beta * (p * (p.log() - q.log())).sum(1).mean()


def literal(
    trained: TrainedNetwork, dataset: Dataset, settings: TrainSettings, seed: int, loss_of: Any
) -> dict[str, Tensor]:
    """Two epochs of plain gradient descent on `loss_of`, with the project's seeds."""
    torch.manual_seed(derive(seed, "weights"))
    network = trained.build().to(memory_format=torch.channels_last).train()
    images, labels, size = dataset.train.images, dataset.train.labels, settings.batch_size
    for epoch in range(settings.epochs):
        generator = torch.Generator().manual_seed(derive(seed, "epoch", epoch))
        order = torch.randperm(len(labels), generator=generator)
        for step in range(len(labels) // size):
            chosen = order[step * size : (step + 1) * size]
            x = (images[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
            network.zero_grad()
            loss_of(network, x, labels[chosen], settings, generator).backward()
            with torch.no_grad():
                for p in network.parameters():
                    assert p.grad is not None
                    p -= settings.lr * p.grad
    return network.state_dict()


def weights(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "last.pt", "training")["model"]


def close(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=2e-5, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize(
    ("method", "loss_of", "size"),
    [
        ("fgsm", fgsm_loss, {"epochs": 2, "batch_size": 16}),
        # near x the divergence's gradient is of the size of rounding: after a step of the weights its signs may differ
        ("trades", trades_loss, {"epochs": 1, "batch_size": 60}),
    ],
)
def test_weights_are_those_of_the_papers_algorithm(
    tmp_path: Path,
    dataset: Dataset,
    describe: Describe,
    recipe: Recipe,
    method: str,
    loss_of: Any,
    size: dict[str, int],
) -> None:
    settings = recipe(method=method, clip=None, schedule="step", lr=0.05, trades_beta=3.0, **size, **PLAIN)
    train(describe(training=method), dataset, settings, tmp_path, 3, CPU)
    close(weights(tmp_path), literal(describe(), dataset, settings, 3, loss_of))


def test_free_moves_weights_and_perturbation_by_the_same_pass(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe
) -> None:
    """Shafahi et al., algorithm 1: the perturbation goes on from replay to replay and from batch to batch."""
    settings = recipe(
        method="free", epochs=2, clip=None, schedule="step", lr=0.05, free_replays=3, free_alpha=0.5, **PLAIN
    )
    _, state = train(describe(training="free"), dataset, settings, tmp_path, 3, CPU)
    torch.manual_seed(derive(3, "weights"))
    network = describe().build().to(memory_format=torch.channels_last).train()
    images, labels, eps = dataset.train.images, dataset.train.labels, settings.eps
    delta, losses = torch.zeros(16, 3, 8, 8), []
    for epoch in range(2):
        order = torch.randperm(60, generator=torch.Generator().manual_seed(derive(3, "epoch", epoch)))
        for step in range(3):
            chosen = order[step * 16 : (step + 1) * 16]
            x = (images[chosen].float() / 255).contiguous(memory_format=torch.channels_last)
            for _ in range(3):
                delta.requires_grad_(True)
                network.zero_grad()
                loss = F.cross_entropy(network((x + delta).clamp(0, 1)), labels[chosen])
                loss.backward()
                losses.append(loss.item())
                assert delta.grad is not None
                delta = (delta.detach() + 0.5 * eps * delta.grad.sign()).clamp(-eps, eps)
                with torch.no_grad():
                    for p in network.parameters():
                        assert p.grad is not None
                        p -= 0.05 * p.grad
    close(weights(tmp_path), network.state_dict())
    assert [entry["train_loss"] for entry in state.history] == pytest.approx(
        [sum(losses[:9]) / 9, sum(losses[9:]) / 9], rel=1e-4
    )
    assert delta.abs().max() == pytest.approx(eps, rel=1e-5)


@pytest.mark.landing
@pytest.mark.parametrize("method", METHODS.names())
def test_adversarial_ones_are_validated_under_attack(
    tmp_path: Path, dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    settings = recipe(method=method, epochs=2, eps=0.05, step_size=0.02)
    _, state = train(describe(training=method), dataset, settings, tmp_path, 0, CPU)
    assert ("val_robust_accuracy" in state.history[0]) == adversarial(method) == (method != "standard")
    key = "val_robust_accuracy" if adversarial(method) else "val_accuracy"
    assert state.best == max(entry[key] for entry in state.history)


@pytest.mark.parametrize("method", METHODS.names())
def test_examples_stay_in_the_ball_and_the_image_range(
    dataset: Dataset, describe: Describe, recipe: Recipe, method: str
) -> None:
    torch.manual_seed(0)
    settings = recipe(method=method, batch_size=20)
    task = Classification(describe().build(), dataset, settings, describe(), CPU, 0)
    task.begin_epoch(0, torch.Generator().manual_seed(0))
    make, distances = task.method.examples, []

    def watched(x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        examples = make(x, y, start)
        assert 0 <= examples.min() <= examples.max() <= 1
        distances.append((examples - x).abs().max().item())
        return examples

    task.method.examples = watched  # type: ignore[method-assign]
    for batch in task.batches(0):
        for _ in range(task.replays):
            task.gradients(batch, lambda loss: loss)
    assert max(distances) <= settings.eps + 1e-6
    assert max(distances) > (0.5 * settings.eps if adversarial(method) else -1)


class Counted:
    """Counts the passes of a network by whether they are in train mode."""

    def __init__(self, network: Network) -> None:
        self.training: list[bool] = []
        network.body.register_forward_hook(lambda module, inputs, output: self.training.append(module.training))


@pytest.mark.parametrize("method", METHODS.names())
@pytest.mark.parametrize("awp", [0.0, 0.01])
def test_the_cost_told_is_the_number_of_passes(
    dataset: Dataset, describe: Describe, recipe: Recipe, method: str, awp: float
) -> None:
    settings = recipe(method=method, awp=awp, batch_size=60)
    network = describe().build()
    task = Classification(network, dataset, settings, describe(), CPU, 0)
    task.begin_epoch(0, torch.Generator().manual_seed(0))
    task.model.train()
    seen = Counted(network)
    (batch,) = task.batches(0)
    for _ in range(task.replays):
        task.gradients(batch, lambda loss: loss)
    whole, inputs = settings.passes
    assert seen.training.count(True) == whole
    assert seen.training.count(False) == inputs + (method == "trades")  # its clean outputs need no gradient


def test_an_unknown_method_is_told_with_the_nearest(recipe: Recipe) -> None:
    with pytest.raises(InputError, match="did you mean 'trades'"):
        recipe(method="trade")


def test_attacks_leave_the_statistics_alone(dataset: Dataset, describe: Describe, recipe: Recipe) -> None:
    for method in ("pgd", "trades", "fgsm"):
        torch.manual_seed(0)
        task = Classification(describe().build(), dataset, recipe(method=method), describe(), CPU, 0)
        task.model.train()
        before = copy.deepcopy(task.model.state_dict())
        x, y = dataset.train.images[:16] / 255, dataset.train.labels[:16]
        task.method.examples(x, y, task.method.draw(x, torch.Generator().manual_seed(0), None))
        assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
        assert all(module.training for module in task.model.modules())


def test_a_free_training_saved_before_its_first_batch_goes_on() -> None:
    model = NASBench201().build(NASBench201().largest(), channels=2, cells_per_stage=1)
    method = METHODS.get("free")(TrainSettings(), model, model)
    method.load_state_dict(method.state_dict())
    assert method.delta is None
    method.delta = torch.full((2, 3, 4, 4), 0.5)
    other = METHODS.get("free")(TrainSettings(), model, model)
    other.load_state_dict(method.state_dict())
    assert torch.equal(other.delta, method.delta)
