"""Measure a trained network on the first test images; the values of each batch are stored as soon as they are known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nas.core.io.records import Record
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.seeds import derive, seeded
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import Tick
from nas.eval.measures.kinds import CLASSES, MEASURES, MeasureOptions
from nas.eval.metrics import by_class
from nas.eval.plan import make_attack
from nas.results import ClassAccuracy, Correct, Measures


def measure(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: MeasureOptions,
    seed: int,
    device: torch.device,
    outcomes: FactStore,
    correct: Mapping[str, Correct],
    tick: Tick = lambda passes, note: None,
) -> Measures:
    """The measures that `settings.measures` names.

    `images` (N, C, H, W) in [0, 1] and `labels` (N,) are those that were attacked, `correct` has the outcomes. All
    measures but `classes`, which counts every image, take the first `measure_images` of them. Raises `NasError` if a
    network's gradients are not finite.
    """
    count = min(settings.measure_images, len(labels))
    xs = images[:count].to(device).contiguous().split(settings.batch_size)
    ys = labels[:count].to(device).split(settings.batch_size)
    measures: dict[str, Record | list[ClassAccuracy]] = {}
    num_classes = _classes(network, xs[0])
    for name in settings.measures:
        if name == CLASSES:
            measures[name] = by_class(correct, labels.tolist())
            continue
        kind = MEASURES[name](settings)
        batches = []
        for number, (x, y) in enumerate(zip(xs, ys)):
            key = kind.kept_as(f"measure/{name}/{number}", x)
            part = outcomes.get(key)
            if part is None:
                each = derive(seed, "measure", name, number)
                with seeded(each), eval_mode(network):
                    part = kind.batch(network, x, y, each)
                outcomes.put(key, part)
            batches.append(part)
            tick(kind.passes(num_classes), name)
        measures[name] = kind.result(batches, count)
    return Measures.of(measures)


def measure_passes(settings: MeasureOptions, num_classes: int) -> float:
    """The number of forward+backward passes per measured image."""
    return sum(MEASURES[name](settings).passes(num_classes) for name in settings.measures if name != CLASSES)


def measure_ticks(settings: MeasureOptions, n: int, num_classes: int) -> float:
    """The sum of the passes with which `measure` calls its `tick` on `n` images."""
    batches = -(-min(settings.measure_images, n) // settings.batch_size)
    return batches * measure_passes(settings, num_classes)


def check_measures(settings: MeasureOptions, num_classes: int, image_size: int) -> None:
    """Raise `InputError` if a measure is impossible on such data."""
    if "calibration" in settings.measures:
        make_attack(settings.measure_attack, settings).check(num_classes, image_size)


def _classes(network: nn.Module, x: Tensor) -> int:
    with torch.no_grad(), eval_mode(network):
        return network(x[:1]).shape[1]
