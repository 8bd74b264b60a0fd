"""Evaluate one network: attack it on fixed batches of test images, then measure and check what the settings ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from nas.core.data import Dataset, attacked
from nas.core.data.formats.class_order import other_order
from nas.core.images import unit_range
from nas.core.optimisation.task import Progress
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.checks import check, check_ticks
from nas.eval.corruptions import CorruptionPlan
from nas.eval.fingerprint import fingerprint
from nas.eval.measures import measure, measure_ticks
from nas.eval.metrics import accuracy, hrs, worst_case
from nas.eval.networks import layout
from nas.eval.networks.chance import chance_remark
from nas.eval.networks.orders import order_remark
from nas.eval.outputs import CHECKED_IMAGES, check_outputs
from nas.eval.plan import AttackOptions, Plan, curves_of, plan_of, point_name
from nas.eval.settings import EvalSettings
from nas.results import CLEAN, AttackResult, Correct, Curve, EvalResult, ImageFormat, Interval, WorstCase

__all__ = ["evaluate", "plan_of"]


def evaluate(
    network: nn.Module,
    dataset: Dataset,
    settings: EvalSettings,
    seed: int,
    device: torch.device,
    outcomes: FactStore,
    progress: Progress = lambda done, total, note: None,
    outputs: bool = True,
) -> EvalResult:
    """Clean and robust accuracy, HRS and 95 % Wilson intervals on the first `n_test` images of the fixed permutation.

    An image is robust if it is classified correctly before and after the attack; an attack that looks for the smallest
    perturbation succeeds only with one of at most `eps`. An image, clean or attacked, counts as wrong if one of its
    logits is NaN or infinite. The result has all checks if `settings.checks` is true, else only those of the network's
    outputs, and none without `outputs`.

    With `settings.cascade`, each attack sees only the images that are correct after all attacks before it. The accuracy
    under an attack alone is then known only for the first attack; the result's `cascade` has for each attack the
    accuracy under it and all before it together, so that its last entry is the worst case.

    Raises InputError if the settings do not suit the network or the data.
    """
    part = attacked(dataset, settings.n_test)
    plan = plan_of(settings, dataset.num_classes, dataset.image_size)
    corruptions = CorruptionPlan(settings, dataset, part, seed)
    images = unit_range(part.images)
    runner = AttackRunner(network, images, part.labels, settings.batch_size, seed, device, outcomes)
    total = runner.batches * (1 + sum(attack.passes() for _, attack in plan))
    total += measure_ticks(settings, len(part), dataset.num_classes) + check_ticks(settings, dataset.image_size)
    total += corruptions.ticks
    done = 0.0

    def tick(passes: float, note: str) -> None:  # in passes, so that the time left can be estimated
        nonlocal done
        done += passes
        progress(round(done), round(total), note)

    other = other_order(dataset.classes)
    flags = runner.clean(tick, None if other is None else torch.tensor(other[1]))
    clean = [int(flag == 1) for flag in flags]
    robust = _attack(runner, plan, settings, clean, tick)
    correct = {label: np.array(one) == 1 for label, one in {CLEAN: clean, **robust}.items()}
    reported = settings.attacks[:1] if settings.cascade else settings.attacks
    clean_accuracy, clean_interval = accuracy(correct[CLEAN])
    remark = None
    if other is not None:
        advice = f"repeat the evaluation with data.order={other[0]} if the network was trained with that order"
        remark = order_remark(flags, part.labels, other[1], "clean images", advice)
    if remark is None:
        remark = chance_remark(int(correct[CLEAN].sum()), len(part), dataset.num_classes)
    image_format = layout.layout_of(runner.network)
    result = EvalResult(
        norm=settings.norm,
        eps=settings.eps,
        n_test=len(part),
        fingerprint=fingerprint(part),
        clean=clean_accuracy,
        clean_interval=clean_interval,
        attacks={label: AttackResult(*_scores(correct[label], clean_accuracy)) for label in reported},
        correct={label: correct[label] for label in (CLEAN, *reported)},
        worst_case=_worst_case(correct, settings.attacks),
        cascade={label: accuracy(correct[label])[0] for label in settings.attacks} if settings.cascade else None,
        outside={label: runner.outside[label] for label in settings.attacks if label in runner.outside},
        sweep=_sweep(settings, correct),
        non_finite=runner.non_finite,
        remarks=[*dataset.remarks, *([] if remark is None else [remark])],
        image_format=None if image_format in layout.USUAL_LAYOUTS else ImageFormat.from_json(image_format),
        providers=runner.providers,
    )
    if settings.measures:
        measures = measure(runner.network, images, part.labels, settings, seed, device, outcomes, result.correct, tick)
        result = replace(result, measures=measures)
    if settings.checks:
        result = replace(result, checks=check(runner, settings, result.sweep, tick))
    result = replace(result, corruptions=corruptions.run(runner.network, device, outcomes, result.clean, tick))
    if outputs and not settings.checks:  # last, so that no other number can depend on it
        result = replace(result, checks=check_outputs(runner.first(CHECKED_IMAGES, "outputs/"), settings.norm))
    return result


def _attack(runner: AttackRunner, plan: Plan, settings: AttackOptions, clean: Flags, tick: Tick) -> dict[str, Flags]:
    """The flags after each attack of the plan. Attacks that are only for curves see every correct image."""
    robust: dict[str, Flags] = {}
    left = clean
    for label, attack in plan:
        listed = label in settings.attacks
        robust[label] = runner.robust(label, attack, left if listed else clean, tick)
        if listed and settings.cascade:
            left = robust[label]
    return robust


def _scores(robust: Correct, clean_accuracy: float) -> tuple[float, Interval, float]:
    """Robust accuracy, its interval, and the harmonic robustness score."""
    share, interval = accuracy(robust)
    return share, interval, hrs(clean_accuracy, share)


def _worst_case(correct: Mapping[str, Correct], attacks: Sequence[str]) -> WorstCase:
    """The images that are correct after every attack, as one metric."""
    robust = worst_case({label: correct[label] for label in (CLEAN, *attacks)})
    return WorstCase(list(attacks), *_scores(robust, accuracy(correct[CLEAN])[0]), robust)


def _sweep(settings: AttackOptions, correct: Mapping[str, Correct]) -> list[Curve]:
    """The curves over eps, each from the clean accuracy at 0."""
    curves = []
    for curve in curves_of(settings):
        points = [correct[CLEAN], *(correct[point_name(curve, eps)] for eps in curve.radii)]
        curves.append(Curve(curve.attack, [0.0, *curve.radii], [accuracy(point)[0] for point in points], points))
    return curves
