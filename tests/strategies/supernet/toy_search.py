"""A supernet search of a second, on toy images: what the tests of the bilevel search share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.search_spaces import NASBench201
from nas.search_spaces.supernet import Supernet, batch_statistics
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.variants import RNASUniform

TINY = {"channels": 2, "cells_per_stage": 1}
FAST: dict[str, Any] = {"epochs": 3, "warm_up": 1, "batch_size": 8, "steps": 2, "crop": 1, "validation_images": 6}


class OneCell(NASBench201):
    """Its supernet ends after the first of its three stages: what a search does is the same at a third of the cost."""

    def supernet(self, num_classes: int = 10, **settings: Any) -> Supernet:  # type: ignore[override]
        network = super().supernet(num_classes, **settings)
        network.blocks = network.blocks[:1]
        network.last = nn.Sequential(batch_statistics(nn.BatchNorm2d(TINY["channels"])), nn.ReLU())
        network.classifier = nn.Linear(TINY["channels"], num_classes)
        return network


def split(count: int, seed: int) -> Split:
    """Noise, each class brighter in another colour."""
    images = torch.randint(0, 200, (count, 3, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    labels = torch.arange(count) % 3
    images[torch.arange(count), labels] += 55
    return Split(images, labels)


def dataset(train: Split | None = None) -> Dataset:
    std = (0.25, 0.25, 0.25)
    return Dataset("toy", train or split(34, 0), split(12, 1), split(3, 2), 3, (0.5, 0.5, 0.5), std)


def search(kind: type[Bilevel] = RNASUniform, seed: int = 0, data: Dataset | None = None, **options: Any) -> Bilevel:
    return kind(OneCell(), data or dataset(), seed, kind.Options(**{**FAST, **options}), TINY)


def snapshot(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second))


def pixels(image: Tensor) -> bytes:
    return image.contiguous().numpy().tobytes()


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def first_batches(run: Bilevel) -> tuple[Any, Any]:
    return next(iter(run.batches(0)))


def skip_everywhere(run: Bilevel) -> None:
    with torch.no_grad():
        run.supernet.alphas["cell"][:, 1] = 5.0
