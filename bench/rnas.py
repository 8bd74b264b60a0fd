"""What a step of a supernet search costs, compared with one forward and backward pass: `nas bench rnas`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import ClassVar

import torch
from torch.nn import functional

from nas.bench.base import Bench, Limit
from nas.bench.measuring.roofline import kernels, machine
from nas.bench.measuring.timing import device, seconds
from nas.bench.measuring.transcription import TranscribedSupernet
from nas.core.data import Dataset, Split
from nas.core.io.records import Json
from nas.search_spaces import SPACES
from nas.search_spaces.supernet import differentiate_only
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.variants import DARTSFirstOrder, DARTSSecondOrder, RNASMax, RNASUniform

VARIANTS: dict[str, type[Bilevel]] = {  # key of the result → strategy
    "darts": DARTSFirstOrder,
    "second-order": DARTSSecondOrder,
    "rnas-uniform": RNASUniform,
    "rnas-max": RNASMax,
}
# In F+B; one for the gradient of the input alone is 2/3.
FLOORS = {"darts": 1.67, "second-order": 4.33, "rnas-uniform": 3.33, "rnas-max": 16.67}
BATCH_SIZE = 16
CHANNELS = 16
CELLS = 8
IMAGES = 64  # of a random data set, in two halves
ROUNDS = 5


class RNASBench(Bench):
    """Time of one step (an update of α and one of the weights) divided by one F+B of the same supernet.

    The unit is a forward and backward pass with the gradients of all weights, of the DARTS supernet with C=16 and 8
    cells on 16 images of 32×32 pixels. `transcription` is the time of such a pass through the original supernet,
    written down operation by operation, divided by the unit: the speed-up of the project's supernet. All values are
    medians of measurements that alternate in one process. `roofline` has the operations and bytes of the unit and of
    the transcription, what the machine does of each per second, and the share of the time that the kernels need at
    least.
    """

    name: ClassVar[str] = "rnas"
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("ratios.darts", at_most=2.1),
        Limit("ratios.second-order", at_most=5.2),
        Limit("ratios.rnas-uniform", at_most=4.2),
        Limit("ratios.rnas-max", at_most=19),
        Limit("ratios.transcription", at_least=1.1, target=2, reason="what was tried is in docs/studies/rnas.md"),
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


def new_search(variant: type[Bilevel], channels: int, cells: int, batch_size: int) -> Bilevel:
    options = variant.Options(batch_size=batch_size, warm_up=0, validation_images=0)
    return variant(SPACES.get("darts")(), data(), 0, options, {"channels": channels, "cells": cells}, device())


def unit(search: Bilevel) -> None:
    """One F+B with the gradients of all weights."""
    (x, y), _ = next(search.batches(0))
    with differentiate_only(search.supernet, search.weights):
        functional.cross_entropy(search.supernet(x), y).backward()
    search.supernet.zero_grad(set_to_none=True)


def step(search: Bilevel) -> None:
    """One update of α, then one of the weights."""
    train, valid = next(search.batches(0))
    noise = torch.Generator(search.device).manual_seed(0)
    search.alpha_step(valid, train, noise)
    search.weight_step(train, search.loss, noise)


def transcribed_unit(network: TranscribedSupernet, search: Bilevel) -> None:
    """The unit's pass through the transcription."""
    (x, y), _ = next(search.batches(0))
    functional.cross_entropy(network((x - 0.5) / 0.25), y).backward()
    network.zero_grad(set_to_none=True)


def ratios(
    report: Callable[[str], None],
    rounds: int = ROUNDS,
    channels: int = CHANNELS,
    cells: int = CELLS,
    batch_size: int = BATCH_SIZE,
) -> Json:
    """By name, the time of each step divided by that of the unit; and the unit's seconds."""
    searches = {key: new_search(variant, channels, cells, batch_size) for key, variant in VARIANTS.items()}
    darts = searches["darts"]
    original = TranscribedSupernet(10, channels, cells).to(device())
    actions: dict[str, Callable[[], None]] = {
        "unit": lambda: unit(darts),
        "transcription": lambda: transcribed_unit(original, darts),
        **{key: partial(step, search) for key, search in searches.items()},
    }
    for action in actions.values():
        action()  # warm up threads, kernels and the optimisers' states
    times: dict[str, list[float]] = {key: [] for key in actions}
    for number in range(1, rounds + 1):
        for key, action in actions.items():
            times[key].append(seconds(action))
        latest = ", ".join(f"{key} {value[-1] / times['unit'][-1]:.2f}" for key, value in times.items())
        report(f"{number}/{rounds} {latest} (unit {times['unit'][-1]:.3f} s)")
    medians = {key: median(values) for key, values in times.items()}
    return {
        "ratios": {key: round(value / medians["unit"], 3) for key, value in medians.items() if key != "unit"},
        "roofline": {key: roofline(actions[key], medians[key]) for key in ("unit", "transcription")},
        "unit_seconds": round(medians["unit"], 4),
    }


def roofline(action: Callable[[], None], measured: float) -> Json:
    """`share`: the part of the measured seconds that the kernels need at least, each by its operations or its bytes."""
    parts, most = kernels(action), machine()
    return {
        "kernels": len(parts),
        "gflops": round(sum(part.flops for part in parts) / 1e9, 3),
        "gigabytes": round(sum(part.bytes for part in parts) / 1e9, 3),
        "gflops_per_second": round(most.flops / 1e9, 1),
        "gigabytes_per_second": round(most.bandwidth / 1e9, 1),
        "share": round(sum(part.seconds(most) for part in parts) / measured, 3),
    }
