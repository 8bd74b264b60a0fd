"""Attack one network on fixed batches of test images, and say what stood."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from nas.core.data import Dataset, attacked
from nas.core.data.formats.class_order import other_order
from nas.core.images import unit_range
from nas.core.optimisation.trainer import Progress
from nas.core.storage.base import FactStore
from nas.eval.checks import check, check_ticks
from nas.eval.corruptions import Asked
from nas.eval.fingerprint import fingerprint
from nas.eval.measures import measure, measure_ticks
from nas.eval.metrics import hrs, wilson, worst_case
from nas.eval.networks import layout
from nas.eval.networks.orders import remark
from nas.eval.outputs import IMAGES, check_outputs
from nas.eval.plan import AttackOptions, Plan, at, curves_of, plan_of
from nas.eval.settings import EvalSettings
from nas.eval.standing import Examined, Flags, Tick

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
) -> dict[str, Any]:
    """Clean and robust accuracy, HRS and 95 % Wilson intervals on the first `n_test` images of the fixed permutation.

    An image is robust when it is classified rightly before and after the attack; an attack that looks for the smallest
    perturbation succeeds only with one of at most `eps`. Returns fractions: `n_test`, `clean`, `attacks`, `hrs`,
    `intervals`, the outcome per image as a text of 0 and 1 (`correct`); `worst_case`, of the images that stand every
    attack; the `sweep` over eps, a list of curves; `outside`, the images for which such an attack found only larger
    perturbations; `fed`, how the network takes its images where that is not channels-last in float32; `providers`, who
    made each attack, where it is one of two that may round differently; `non_finite`, how many images had a NaN or
    infinite logit, clean and where an attack moved them, which counts as wrong (None where an earlier version did not
    count them); `remarks`, sentences on what makes the numbers mean less than they say, where there is any; `checks`,
    those of the `outputs` or, where they are asked for, all; and `measures`, `corruptions` where they are asked for.

    With `cascade`, each attack sees only what all before it left. Then the accuracy of one attack is known for the
    first only; `cascade` has what each attack and all before it leave together, the last being the worst case.
    """
    part = attacked(dataset, settings.n_test)
    plan = plan_of(settings, dataset.num_classes, dataset.image_size)
    corruptions = Asked(settings, dataset, part, seed)
    images = unit_range(part.images)
    subject = Examined(network, images, part.labels, settings.batch_size, seed, device, outcomes)
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
    reported = {"clean": clean, **{label: standing[label] for label in seen}}
    accuracy = {label: sum(flags) / len(part) for label, flags in standing.items()}
    entry: dict[str, Any] = {
        "norm": settings.norm,
        "eps": settings.eps,
        "n_test": len(part),
        "fingerprint": fingerprint(part),
        "clean": sum(clean) / len(part),
        "attacks": {label: accuracy[label] for label in seen},
        "hrs": {label: hrs(sum(clean) / len(part), accuracy[label]) for label in seen},
        "intervals": {label: list(wilson(sum(flags), len(part))) for label, flags in reported.items()},
        "correct": {label: _text(flags) for label, flags in reported.items()},
        "worst_case": _worst({"clean": clean, **{label: standing[label] for label in settings.attacks}}),
        "cascade": {label: accuracy[label] for label in settings.attacks} if settings.cascade else None,
        "outside": {label: subject.outside[label] for label in settings.attacks if label in subject.outside},
        "sweep": _sweep(settings, standing, clean),
        "non_finite": subject.non_finite,
    }
    if other is not None:
        advice = f"repeat the evaluation with data.order={other[0]} if the network was trained so"
        sentence = remark(flags, part.labels, other[1], "clean images", advice)
        entry |= {} if sentence is None else {"remarks": [sentence]}
    if (fed := layout.told(subject.network)) not in layout.USUAL:
        entry["fed"] = fed
    if subject.providers:
        entry["providers"] = subject.providers
    if settings.measures:
        entry["measures"] = measure(
            subject.network, images, part.labels, settings, seed, device, outcomes, entry["correct"], tick
        )
    if settings.checks:
        entry["checks"] = check(subject, settings, entry, tick)
    entry |= corruptions.run(subject.network, device, outcomes, entry["clean"], tick)
    if outputs and not settings.checks:  # last, so that no other number can depend on it
        entry["checks"] = [asdict(one) for one in check_outputs(subject.first(IMAGES, "outputs/"), settings.norm)]
    return entry


def _attacked(subject: Examined, plan: Plan, settings: AttackOptions, clean: Flags, tick: Tick) -> dict[str, Flags]:
    """What stands each attack of the plan; those of the curves see every image that is right, cascade or not."""
    standing: dict[str, Flags] = {}
    given = clean
    for label, attack in plan:
        listed = label in settings.attacks
        standing[label] = subject.robust(label, attack, given if listed else clean, tick)
        if listed and settings.cascade:
            given = standing[label]
    return standing


def _worst(outcomes: dict[str, Flags]) -> dict[str, Any]:
    """The images that stand every attack, as one metric; `outcomes` are of the clean images and of attacks."""
    correct = worst_case({name: _text(flags) for name, flags in outcomes.items()})
    right, images = correct.count("1"), len(correct)
    return {
        "attacks": [name for name in outcomes if name != "clean"],
        "accuracy": right / images,
        "interval": list(wilson(right, images)),
        "hrs": hrs(sum(outcomes["clean"]) / images, right / images),
        "correct": correct,
    }


def _sweep(settings: AttackOptions, standing: dict[str, Flags], clean: Flags) -> list[dict[str, Any]]:
    """The curves over eps, each from the clean accuracy at 0."""
    curves = []
    for curve in curves_of(settings):
        points = [clean, *(standing[at(curve, eps)] for eps in curve.radii)]
        curves.append(
            {
                "attack": curve.attack,
                "eps": [0.0, *curve.radii],
                "accuracy": [sum(flags) / len(flags) for flags in points],
                "correct": [_text(flags) for flags in points],
            }
        )
    return curves


def _text(flags: Flags) -> str:
    return "".join(map(str, flags))
