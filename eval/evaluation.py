"""Attack one network on fixed batches of test images, and say what stood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from nas.core.data import Dataset, attacked
from nas.core.data.formats.class_order import other_order
from nas.core.images import unit_range
from nas.core.optimisation.trainer import Progress
from nas.core.statistics.proportions import wilson
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.checks import check, check_ticks
from nas.eval.corruptions import CorruptionPlan
from nas.eval.fingerprint import fingerprint
from nas.eval.measures import measure, measure_ticks
from nas.eval.metrics import hrs, worst_case
from nas.eval.networks import layout
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

    An image is robust when it is classified rightly before and after the attack; an attack that looks for the smallest
    perturbation succeeds only with one of at most `eps`. A NaN or infinite logit, clean or where an attack moved an
    image, counts as wrong. `checks` are those of the `outputs` or, where they are asked for, all.

    With `cascade`, each attack sees only what all before it left. Then the accuracy of one attack is known for the
    first only; `cascade` has what each attack and all before it leave together, the last being the worst case.
    """
    part = attacked(dataset, settings.n_test)
    plan = plan_of(settings, dataset.num_classes, dataset.image_size)
    corruptions = CorruptionPlan(settings, dataset, part, seed)
    images = unit_range(part.images)
    subject = AttackRunner(network, images, part.labels, settings.batch_size, seed, device, outcomes)
    total = subject.batches * (1 + sum(attack.passes() for _, attack in plan))
    total += measure_ticks(settings, len(part), dataset.num_classes) + check_ticks(settings, dataset.image_size)
    total += corruptions.ticks
    done = 0.0

    def tick(passes: float, note: str) -> None:  # in passes, so that the time left can be told
        nonlocal done
        done += passes
        progress(round(done), round(total), note)

    other = other_order(dataset.classes)
    flags = subject.clean(tick, None if other is None else torch.tensor(other[1]))
    clean = [int(flag == 1) for flag in flags]
    standing = _attacked(subject, plan, settings, clean, tick)
    seen = settings.attacks[:1] if settings.cascade else settings.attacks
    correct = {CLEAN: _correct(clean), **{label: _correct(standing[label]) for label in seen}}
    remarks: list[str] = []
    if other is not None:
        advice = f"repeat the evaluation with data.order={other[0]} if the network was trained so"
        sentence = order_remark(flags, part.labels, other[1], "clean images", advice)
        remarks = [] if sentence is None else [sentence]
    fed = layout.layout_of(subject.network)
    result = EvalResult(
        norm=settings.norm,
        eps=settings.eps,
        n_test=len(part),
        fingerprint=fingerprint(part),
        clean=_share(clean),
        clean_interval=_interval(clean),
        attacks={label: _attack(standing[label], clean) for label in seen},
        correct=correct,
        worst_case=_worst({label: standing[label] for label in settings.attacks}, clean),
        cascade={label: _share(standing[label]) for label in settings.attacks} if settings.cascade else None,
        outside={label: subject.outside[label] for label in settings.attacks if label in subject.outside},
        sweep=_sweep(settings, standing, clean),
        non_finite=subject.non_finite,
        remarks=remarks,
        fed=None if fed in layout.USUAL_LAYOUTS else ImageFormat.from_json(fed),
        providers=subject.providers,
    )
    if settings.measures:
        measures = measure(subject.network, images, part.labels, settings, seed, device, outcomes, correct, tick)
        result = replace(result, measures=measures)
    if settings.checks:
        result = replace(result, checks=check(subject, settings, result.sweep, tick))
    result = replace(result, corruptions=corruptions.run(subject.network, device, outcomes, result.clean, tick))
    if outputs and not settings.checks:  # last, so that no other number can depend on it
        result = replace(result, checks=check_outputs(subject.first(CHECKED_IMAGES, "outputs/"), settings.norm))
    return result


def _attacked(subject: AttackRunner, plan: Plan, settings: AttackOptions, clean: Flags, tick: Tick) -> dict[str, Flags]:
    """What stands each attack of the plan; those of the curves see every image that is right, cascade or not."""
    standing: dict[str, Flags] = {}
    given = clean
    for label, attack in plan:
        listed = label in settings.attacks
        standing[label] = subject.robust(label, attack, given if listed else clean, tick)
        if listed and settings.cascade:
            given = standing[label]
    return standing


def _attack(standing: Flags, clean: Flags) -> AttackResult:
    return AttackResult(_share(standing), _interval(standing), hrs(_share(clean), _share(standing)))


def _worst(standing: dict[str, Flags], clean: Flags) -> WorstCase:
    """The images that stand every attack, as one metric."""
    correct = worst_case({label: _correct(flags) for label, flags in {CLEAN: clean, **standing}.items()})
    found = _attack(correct.astype(int).tolist(), clean)
    return WorstCase(list(standing), found.accuracy, found.interval, found.hrs, correct)


def _sweep(settings: AttackOptions, standing: dict[str, Flags], clean: Flags) -> list[Curve]:
    """The curves over eps, each from the clean accuracy at 0."""
    curves = []
    for curve in curves_of(settings):
        points = [clean, *(standing[point_name(curve, eps)] for eps in curve.radii)]
        curves.append(Curve(curve.attack, [0.0, *curve.radii], list(map(_share, points)), list(map(_correct, points))))
    return curves


def _share(flags: Flags) -> float:
    return sum(flags) / len(flags)


def _interval(flags: Flags) -> Interval:
    return Interval(*wilson(sum(flags), len(flags)))


def _correct(flags: Flags) -> Correct:
    return np.array(flags) == 1
