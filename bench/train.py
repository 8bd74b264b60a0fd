"""What training steps cost: standard ones against a bare loop, adversarial ones against these: `nas bench train`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from nas.bench.base import Bench, Limit
from nas.bench.measuring.loaders import throughput
from nas.bench.measuring.timing import device, seconds
from nas.core.data import Dataset, Split
from nas.core.io.records import Json
from nas.core.optimisation.trainer import Loop
from nas.train import TrainedNetwork, TrainSettings
from nas.train.training import Classification, loop_plan

FLOORS = {"standard_vs_bare": 1.0, "pgd7_vs_standard": 5.67}  # an F+B for the input alone is 2/3: 1 + 7 · 2/3
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SIZE = {"channels": 16, "cells_per_stage": 5}
BATCH = 16
GPU_BATCH = 256
ROUNDS = 15


class TrainBench(Bench):
    """Time of a training step over a bare loop's, of a PGD-7 step over a standard one, and the share of augmentation.

    The bare loop is forward, cross-entropy, backward and the optimiser's step on tensors in memory. NAS-Bench-201,
    C=16, N=5, 32×32 images; batch 16 on a CPU, 256 on a GPU. Medians of alternating measurements in one process. On a
    GPU also images per second of whole epochs, and those of the usual loop with torchvision's loader (`loaders`).
    """

    name: ClassVar[str] = "train"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("ratios.standard_vs_bare", at_most=1.05),
        Limit("ratios.pgd7_vs_standard", at_most=6.3),
        Limit("ratios.augmentation", at_most=0.05),
    )

    def run(self, report: Callable[[str], None]) -> Json:
        on_gpu = torch.cuda.is_available()
        result = ratios(report, batch=GPU_BATCH if on_gpu else BATCH)
        return {
            **result,
            **({"epochs": throughput(report)} if on_gpu else {}),
            "floors": FLOORS,
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "threads": torch.get_num_threads(),
        }


class Steps:
    """A training whose steps are taken one by one, by the loop itself, on random images."""

    def __init__(self, settings: TrainSettings, size: dict[str, int], folder: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(256, (2 * settings.batch_size, 3, 32, 32), generator=generator, dtype=torch.uint8)
        split = Split(images, torch.arange(len(images)) % 10)
        mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
        dataset = Dataset("random", split, split, split, 10, mean, std)
        trained = TrainedNetwork(
            "bench", "nasbench201", CELL, dict(size), 10, 32, list(mean), list(std), {}, settings.method, settings.eps
        )  # fmt: skip
        torch.manual_seed(0)
        self.task = Classification(trained.build(), dataset, settings, trained, device(), 0)
        self.loop = Loop(self.task, loop_plan(settings), folder, 0)
        self.task.model.train()
        self.generator = torch.Generator(device()).manual_seed(0)

    def batch(self) -> Any:
        """A batch as the training takes it: drawn, augmented, in [0, 1]."""
        return next(self.task.batches(0))

    def begin(self) -> None:
        self.task.begin_epoch(0, self.generator)

    def step(self) -> None:
        """One step of the loop, its batch included."""
        self.loop.step(self.batch(), self.loop.plan.schedule.rate(0, self.task.steps_per_epoch))


def bare(steps: Steps) -> Callable[[], None]:
    """One step of the plainest loop on the same network, optimiser and images."""
    steps.begin()
    x, y, _ = steps.batch()
    network = steps.task.model
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=x.is_cuda or None
    )

    def action() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss: Tensor = functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()

    return action


def measured(report: Callable[[str], None], actions: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each action, taken in turn."""
    for action in actions.values():
        action()  # warms up kernels and the optimiser's state
    times: dict[str, list[float]] = {key: [] for key in actions}
    for number in range(1, rounds + 1):
        for key, action in actions.items():
            times[key].append(seconds(action))
        report(f"{number}/{rounds} " + ", ".join(f"{key} {value[-1]:.4f} s" for key, value in times.items()))
    return {key: median(values) for key, values in times.items()}


def ratios(
    report: Callable[[str], None], rounds: int = ROUNDS, size: dict[str, int] | None = None, batch: int = BATCH
) -> Json:
    """`ratios` by name, the seconds behind them, and images per second."""
    settings = TrainSettings(batch_size=batch)
    with TemporaryDirectory() as folder:
        standard, plain, robust = (
            Steps(each, size or SIZE, Path(folder)) for each in (settings, settings, replace(settings, method="pgd"))
        )
        for steps in (standard, robust):
            steps.begin()
        actions: dict[str, Callable[[], Any]] = {
            "bare": bare(plain),
            "standard": standard.step,
            "batch": standard.batch,  # drawn, cropped, mirrored, scaled to [0, 1]
            "pgd7": robust.step,
        }
        middle = measured(report, actions, rounds)
    return {
        "ratios": {
            "standard_vs_bare": round(middle["standard"] / middle["bare"], 3),
            "pgd7_vs_standard": round(middle["pgd7"] / middle["standard"], 3),
            "augmentation": round(middle["batch"] / middle["standard"], 4),
        },
        "seconds": {key: round(value, 5) for key, value in middle.items()},
        "images_per_second": {key: round(batch / middle[key], 1) for key in ("bare", "standard", "pgd7")},
    }
