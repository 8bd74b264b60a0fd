"""Images per second of whole training epochs, against the loop that most people write with torchvision's loader."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Images
from torchvision import transforms

from nas.bench.measuring.timing import device, seconds
from nas.core.data import Dataset, Split
from nas.core.optimisation.trainer import Loop
from nas.search_spaces import SPACES, BuildSettings
from nas.train import TrainedNetwork, TrainSettings
from nas.train.training import Classification, loop_plan

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
NB201 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
STEPS = 40  # per measurement
ROUNDS = 5


@dataclass(frozen=True)
class Case:
    """A network that is trained on random images of CIFAR's size."""

    name: str
    space: str
    size: BuildSettings
    batch: int
    side: int = 32


CASES = (
    Case("nasbench201 N=5 C=16", "nasbench201", {"channels": 16, "cells_per_stage": 5}, 256),
    Case("darts 20 cells C=36", "darts", {"channels": 36, "cells": 20}, 96),
)


def throughput(
    report: Callable[[str], None], cases: tuple[Case, ...] = CASES, steps: int = STEPS, rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """By network: images per second in fp32 and bf16, of this project and of the plain loop, measured in turn."""
    rates: dict[str, dict[str, float]] = {}
    for case in cases:
        with TemporaryDirectory() as folder:
            actions = {
                f"{whose} {precision}": make(case, precision, steps, Path(folder))
                for precision in ("fp32", "bf16")
                for whose, make in (("ours", _ours), ("plain", _plain))
            }
            for action in actions.values():
                action()  # warms up kernels, caches, worker processes
            times: dict[str, list[float]] = {key: [] for key in actions}
            for _ in range(rounds):
                for key, action in actions.items():
                    times[key].append(seconds(action))
        rates[case.name] = {key: round(steps * case.batch / median(values), 1) for key, values in times.items()}
        report(f"{case.name}: " + ", ".join(f"{key} {value:g} images/s" for key, value in rates[case.name].items()))
    return rates


def _arch(case: Case) -> str:
    space: Any = SPACES.get(case.space)()
    return NB201 if case.space == "nasbench201" else str(space.largest())


def _images(case: Case, steps: int) -> Split:
    generator = torch.Generator().manual_seed(0)
    shape = (case.batch * steps, 3, case.side, case.side)
    return Split(torch.randint(256, shape, generator=generator, dtype=torch.uint8), torch.arange(shape[0]) % 10)


def _ours(case: Case, precision: str, steps: int, folder: Path) -> Callable[[], None]:
    """An epoch by the project's own loop: resident images, augmented on the device."""
    split = _images(case, steps)
    few = Split(split.images[: case.batch], split.labels[: case.batch])
    settings = TrainSettings(batch_size=case.batch, precision=precision)
    trained = TrainedNetwork(
        "bench", case.space, _arch(case), dict(case.size), 10, case.side, list(MEAN), list(STD), {}, "standard", 0.0
    )
    torch.manual_seed(0)
    dataset = Dataset("random", split, few, few, 10, MEAN, STD)
    task = Classification(trained.build(), dataset, settings, trained, device(), 0)
    loop = Loop(task, loop_plan(replace(settings, epochs=1)), folder, 0)

    def epoch() -> None:
        task.model.train()
        task.begin_epoch(0, torch.Generator(device()).manual_seed(0))
        for batch in islice(task.batches(0), steps):
            loop.step(batch, 0.1)

    return epoch


class _Pictures(Images[Any]):
    """Images one by one through torchvision's transforms, as its CIFAR-10 gives them."""

    def __init__(self, split: Split, side: int) -> None:
        self.images = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(side, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[index])), self.labels[index]


def _plain(case: Case, precision: str, steps: int, folder: Path) -> Callable[[], None]:
    """An epoch of the usual loop: worker processes, pinned memory, SGD, autocast for bf16."""
    target = device()
    workers = min(8, (os.cpu_count() or 2) - 1) if target.type == "cuda" else 0
    loader: DataLoader[Any] = DataLoader(
        _Pictures(_images(case, steps), case.side),
        batch_size=case.batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=target.type == "cuda",
        persistent_workers=workers > 0,
    )
    trained = TrainedNetwork(
        "bench", case.space, _arch(case), dict(case.size), 10, case.side, [0.0] * 3, [1.0] * 3, {}, "standard", 0.0
    )
    network = trained.build().to(target).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def epoch() -> None:
        for x, y in loader:
            x, y = x.to(target, non_blocking=True), y.to(target, non_blocking=True)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(target.type, torch.bfloat16, enabled=precision == "bf16"):
                loss = functional.cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()

    return epoch
