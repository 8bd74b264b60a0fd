"""What a step of a supernet search costs beside one forward and backward pass: `nas bench rnas`."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import ClassVar

import torch
from torch.nn import functional

from nas.bench.base import Bench, Limit
from nas.bench.timing import device, seconds
from nas.bench.transcription import TranscribedSupernet
from nas.core.data import Dataset, Split
from nas.core.io.records import Json
from nas.search_spaces import SPACES
from nas.strategies.supernet import SUPERNET_STRATEGIES, SupernetStrategy
from nas.strategies.supernet.gradients import only

KINDS = {  # key of the result → strategy
    "darts": "darts",
    "second-order": "darts-second-order",
    "rnas-uniform": "rnas-uniform",
    "rnas-max": "rnas-max",
}
FLOORS = {"darts": 1.67, "second-order": 4.33, "rnas-uniform": 3.33, "rnas-max": 16.67}  # an input-only pass is 2/3
BATCH, CHANNELS, CELLS = 16, 16, 8
IMAGES = 64  # of a random data set, in two halves
ROUNDS = 5


class RNASBench(Bench):
    """Time of one step (an update of α and one of the weights) over one F+B of the same supernet.

    The unit is a forward and backward pass with the gradients of all weights; DARTS, C=16, 8 cells, 32×32 images,
    batch 16. `transcription` is such a pass of the original supernet written down operation by operation, over the
    unit: how much faster the project's is. Medians of measurements in turn, in one process.
    """

    name: ClassVar[str] = "rnas"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("ratios.darts", at_most=2.1),
        Limit("ratios.second-order", at_most=5.2),
        Limit("ratios.rnas-uniform", at_most=4.2),
        Limit("ratios.rnas-max", at_most=19),
        Limit("ratios.transcription", at_least=1.1, target=2, reason="what was tried is in docs/rnas.md"),
    )

    def run(self, report: Callable[[str], None]) -> Json:
        return {
            **ratios(report),
            "floors": FLOORS,
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "threads": torch.get_num_threads(),
        }


def data(size: int = 32) -> Dataset:
    """Random images: what they show does not change what a pass costs."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (IMAGES, 3, size, size), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.arange(IMAGES) % 10)
    return Dataset("random", split, split, split, 10, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def strategy(kind: str, channels: int = CHANNELS, cells: int = CELLS, batch: int = BATCH) -> SupernetStrategy:
    found = SUPERNET_STRATEGIES.get(kind)
    options = found.Options(batch_size=batch, warm_up=0, validation_images=0)
    return found(SPACES.get("darts")(), data(), 0, options, {"channels": channels, "cells": cells}, device())


def unit(of: SupernetStrategy) -> None:
    """One F+B with the gradients of all weights."""
    (x, y), _ = next(of.batches(0))
    with only(of.supernet, of.weights):
        functional.cross_entropy(of.supernet(x), y).backward()
    of.supernet.zero_grad(set_to_none=True)


def step(of: SupernetStrategy) -> None:
    """One update of α, then one of the weights."""
    weight_batch, alpha_batch = next(of.batches(0))
    noise = torch.Generator(of.device).manual_seed(0)
    of.alpha_step(alpha_batch, weight_batch, noise)
    of.weight_step(weight_batch, of.loss, noise)


def transcribed(network: TranscribedSupernet, of: SupernetStrategy) -> None:
    """The unit's pass of the transcription."""
    (x, y), _ = next(of.batches(0))
    functional.cross_entropy(network((x - 0.5) / 0.25), y).backward()
    network.zero_grad(set_to_none=True)


def ratios(
    report: Callable[[str], None],
    rounds: int = ROUNDS,
    channels: int = CHANNELS,
    cells: int = CELLS,
    batch: int = BATCH,
) -> Json:
    """`ratios` by name, and the unit's seconds."""
    made = {key: strategy(kind, channels, cells, batch) for key, kind in KINDS.items()}
    own = made["darts"]
    original = TranscribedSupernet(10, channels, cells).to(device())
    actions: dict[str, Callable[[], None]] = {
        "unit": lambda: unit(own),
        "transcription": lambda: transcribed(original, own),
        **{key: (lambda of=of: step(of)) for key, of in made.items()},  # type: ignore[misc]
    }
    for action in actions.values():
        action()  # threads, kernels, optimisers' state
    times: dict[str, list[float]] = {key: [] for key in actions}
    for number in range(1, rounds + 1):
        for key, action in actions.items():
            times[key].append(seconds(action))
        latest = ", ".join(f"{key} {value[-1] / times['unit'][-1]:.2f}" for key, value in times.items())
        report(f"{number}/{rounds} {latest} (unit {times['unit'][-1]:.3f} s)")
    middle = {key: median(values) for key, values in times.items()}
    return {
        "ratios": {key: round(value / middle["unit"], 3) for key, value in middle.items() if key != "unit"},
        "unit_seconds": round(middle["unit"], 4),
    }
