"""Training against the same training written down in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.core.io import checkpoint
from nas.core.seeds import derive
from nas.train import TrainedNetwork, TrainSettings, train
from nas.train.training import Classification

CPU = torch.device("cpu")
Describe = Callable[..., TrainedNetwork]
Recipe = Callable[..., TrainSettings]


def state_of(folder: Path) -> dict[str, Tensor]:
    return checkpoint.load(folder / "last.pt", "training")["model"]


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


@pytest.mark.landing
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
