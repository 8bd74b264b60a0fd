"""Train one network, on clean images or adversarially."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.augment import cutout, random_crop, random_flip
from nas.core.data import Dataset, Split
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.loop import Loop, LoopState, Progress, Schedule
from nas.core.perturb import eval_mode, pgd, uniform_noise
from nas.core.seeds import derive, seeded
from nas.search_spaces import Network
from nas.train.settings import TrainSettings
from nas.train.trained import TrainedNetwork


class Classification:
    """Cross-entropy on augmented batches, each first perturbed by PGD in adversarial training (a `loop.Task`).

    The whole training part stays on the device as bytes. PGD starts at a uniform random point of the ball and sees the
    network in eval mode (Madry et al. 2018); the weight step then is in train mode.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainSettings,
        trained: TrainedNetwork,
        device: torch.device,
        seed: int,
    ) -> None:
        self.model = network.to(device).to(memory_format=torch.channels_last)
        self.settings = settings
        self.trained = trained
        self.device = device
        self.seed = seed
        self.train_part = _on(dataset.train, device)
        self.validation_part = _on(dataset.validation, device)
        self.batch_size = min(settings.batch_size, len(dataset.train))
        self.steps_per_epoch = len(dataset.train) // self.batch_size  # the incomplete last batch is left out

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        self.generator = generator
        if self.settings.drop_path > 0:
            share = epoch / max(1, self.settings.epochs - 1)
            self.model.body.drop_path = self.settings.drop_path * share  # type: ignore[assignment]
        images, labels = self.train_part
        order = torch.randperm(len(labels), generator=generator, device=self.device)
        for start in range(0, self.steps_per_epoch * self.batch_size, self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield self._augmented(images[chosen]), labels[chosen]

    def _augmented(self, images: Tensor) -> Tensor:
        if self.settings.crop:
            images = random_crop(images, self.settings.crop, self.generator)
        if self.settings.flip:
            images = random_flip(images, self.generator)
        x = unit_range(images)
        return cutout(x, self.settings.cutout, self.model.mean, self.generator) if self.settings.cutout else x

    def loss(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        if self.settings.method == "pgd":
            x = self._attacked(x, y, self.settings.steps, self.generator)
        logits, auxiliary = self.model.with_auxiliary(x)
        loss = F.cross_entropy(logits, y)
        if auxiliary is not None:
            loss = loss + self.settings.auxiliary_weight * F.cross_entropy(auxiliary, y)
        return loss

    def _attacked(self, x: Tensor, y: Tensor, steps: int, generator: torch.Generator) -> Tensor:
        settings = self.settings
        start = uniform_noise(x, settings.eps, generator)
        with eval_mode(self.model):
            return pgd(
                lambda x_adv: F.cross_entropy(self.model(x_adv), y),
                x,
                settings.eps,
                settings.step_size,
                steps,
                start=start,
            )

    def validate(self, epoch: int) -> dict[str, float]:
        """Clean accuracy, and under PGD from the same random starts in every epoch where training is adversarial."""
        adversarial = self.settings.method == "pgd"
        images, labels = self.validation_part
        right = torch.zeros(2, device=self.device)
        generator = torch.Generator(self.device).manual_seed(derive(self.seed, "validation"))
        with eval_mode(self.model):
            for start in range(0, len(labels), 500):
                x, y = unit_range(images[start : start + 500]), labels[start : start + 500]
                with torch.no_grad():
                    clean = self.model(x).argmax(1) == y
                    right[0] += clean.sum()
                if adversarial:
                    x_adv = self._attacked(x, y, self.settings.validation_steps, generator)
                    with torch.no_grad():
                        right[1] += (clean & (self.model(x_adv).argmax(1) == y)).sum()
        clean_count, robust_count = right.tolist()
        metrics = {"val_accuracy": clean_count / len(labels)}
        return {**metrics, "val_robust_accuracy": robust_count / len(labels)} if adversarial else metrics

    def selection(self, metrics: dict[str, float]) -> float:
        return metrics.get("val_robust_accuracy", metrics["val_accuracy"])

    def export(self) -> dict[str, Any]:
        return self.trained.export({name: value.cpu() for name, value in self.model.state_dict().items()})


def _on(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    return split.images.to(device), split.labels.to(device)


def check_recipe(settings: TrainSettings, network: Network) -> None:
    """`InputError` where the recipe asks for something that the network does not have."""
    if settings.drop_path > 0 and not hasattr(network.body, "drop_path"):
        raise InputError(
            f"Expected train.drop_path=0 for networks without drop-path but got {settings.drop_path}; set it to 0."
        )


def train(
    trained: TrainedNetwork,
    dataset: Dataset,
    settings: TrainSettings,
    folder: Path,
    seed: int,
    device: torch.device,
    progress: Progress = lambda done, total, note: None,
) -> tuple[Path, LoopState]:
    """Train (or continue training) the network described by `trained`; returns the chosen checkpoint and the history.

    The weights are initialised from `seed`; the same seed on the same machine gives the same weights, also after
    an interruption.
    """
    with seeded(derive(seed, "weights")):
        network = trained.build()
    check_recipe(settings, network)
    schedule = Schedule(
        epochs=settings.epochs,
        lr=settings.lr,
        lr_min=settings.lr_min,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
    )
    task = Classification(network, dataset, settings, trained, device, seed)
    loop = Loop(task, schedule, folder, seed, settings.select)
    with seeded(seed):
        state = loop.run(progress)
    return loop.final, state
