"""Do adversarial examples of one network fool others? White-box accuracy on the diagonal, black-box elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.data import Split
from nas.core.images import unit_range
from nas.core.io.records import Record
from nas.core.seeds import derive
from nas.core.statistics.proportions import wilson
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.attacks import Attack
from nas.eval.checks import transfer_check
from nas.eval.measures.reliability import attacked_images
from nas.eval.non_finite import total
from nas.eval.plan import AttackOptions, make_attack
from nas.eval.settings import EvalSettings
from nas.results import CLEAN, Check, CleanAccuracies, Correct, Count, Interval, TransferMatrix

TRANSFER_SETTINGS = (  # settings
    *("attacks", "eps", "norm", "step_size", "restarts", "n_test", "batch_size"),
    *("model_options", "normalise", "mean", "std"),
)


@dataclass(frozen=True, eq=False)
class TransferOutcomes(Record):
    """What each network makes of the images, clean and after attacks on one of them: metric → network → outcome."""

    correct: dict[str, dict[str, Correct]]
    non_finite: dict[str, dict[str, Count]]  # how many images


class Matrices(NamedTuple):
    """The part of a `TransferResult` that is of all networks together."""

    clean: CleanAccuracies
    attacks: dict[str, TransferMatrix]
    checks: list[Check]


def reset_unused(settings: EvalSettings) -> EvalSettings:
    """The settings with what `nas transfer` does not use as by default."""
    default = EvalSettings()
    unused = [field.name for field in fields(default) if field.name not in TRANSFER_SETTINGS]
    return replace(settings, **{name: getattr(default, name) for name in unused})


def transfer(
    source: str,
    networks: Mapping[str, nn.Module],
    part: Split,
    settings: AttackOptions,
    seed: int,
    device: torch.device,
    outcomes: FactStore,
    tick: Tick = lambda passes, note: None,
) -> TransferOutcomes:
    """Which images each network classifies rightly, clean and after `settings.attacks` on the network `source`.

    Every image is attacked, those that the source misclassifies anyway too (the parts of AutoAttack leave such as they
    are); an image counts for a target that classifies it rightly before and after. What an unbounded attack found
    outside the ball is not shown to the targets. A NaN or infinite logit is wrong. Kept per attack and batch.
    Source: Mok et al., ICCV 2021 (AdvRush).
    """
    images = unit_range(part.images)
    size = settings.batch_size
    examined = {
        name: AttackRunner(network, images, part.labels, size, seed, device, outcomes, f"{name}/")
        for name, network in networks.items()
    }
    clean = {name: one.clean(tick) for name, one in examined.items()}
    found = {CLEAN: {name: np.array(flags) == 1 for name, flags in clean.items()}}
    missing = {CLEAN: {name: one.non_finite[CLEAN] for name, one in examined.items()}}
    own = examined[source]
    for label in settings.attacks:
        attack = make_attack(label, settings)
        standing: dict[str, Flags] = {name: [] for name in networks}
        counts: list[dict[str, int] | None] = []
        for batch in range(own.batches):
            start, end = batch * size, (batch + 1) * size
            right = {name: clean[name][start:end] for name in networks}
            key = attack.kept_as(f"{label}/{batch}", own.images[batch])
            kept, count = own.counted(key, lambda: _batch(own, examined, attack, label, batch, right))  # noqa: B023
            for name in networks:
                standing[name] += kept[name]
            counts.append(count)
            tick(attack.passes(), f"{label} on {source}")
        found[label] = {name: np.array(flags) == 1 for name, flags in standing.items()}
        missing[label] = {
            name: total(f"{label} on {source}", [None if one is None else one[name] for one in counts])
            for name in networks
        }
    return TransferOutcomes(found, missing)


def transfer_ticks(settings: AttackOptions, networks: int) -> float:
    """The sum of what `transfer` tells its `tick`."""
    each = networks + sum(make_attack(label, settings).passes() for label in settings.attacks)
    return -(-settings.n_test // settings.batch_size) * each


def _batch(
    own: AttackRunner,
    examined: dict[str, AttackRunner],
    attack: Attack,
    label: str,
    batch: int,
    right: dict[str, Flags],
) -> tuple[dict[str, Flags], dict[str, int]]:
    """What of one batch each network still classifies correctly, and for how many images a logit is not finite."""
    x, y = own.images[batch], own.labels[batch]
    moved = attacked_images(own.network, x, y, attack, derive(own.seed, own.prefix, "transfer", label, batch))
    shown: Tensor = torch.where(attack.admitted(moved, x)[:, None, None, None], moved, x)
    after, missing = {}, {}
    for name, one in examined.items():
        flags, answered = one.judged(shown, y)
        after[name] = [a * b for a, b in zip(flags.int().tolist(), right[name])]
        missing[name] = int((~answered).sum())
    return after, missing


def matrix(rows: Mapping[str, TransferOutcomes]) -> Matrices:
    """The results of all sources, in the order of `rows`; the diagonal is white-box.

    `checks` says whether transfer beats white-box anywhere.
    """
    names, clean = list(rows), next(iter(rows.values()))
    attacks = {
        label: TransferMatrix(
            accuracy=[[float(rows[source].correct[label][target].mean()) for target in names] for source in names],
            intervals=[[_interval(rows[source].correct[label][target]) for target in names] for source in names],
            correct=[[rows[source].correct[label][target] for target in names] for source in names],
            non_finite=[[rows[source].non_finite[label][target] for target in names] for source in names],
        )
        for label in clean.correct
        if label != CLEAN
    }
    return Matrices(
        CleanAccuracies(
            accuracy={name: float(flags.mean()) for name, flags in clean.correct[CLEAN].items()},
            intervals={name: _interval(flags) for name, flags in clean.correct[CLEAN].items()},
            correct=clean.correct[CLEAN],
            non_finite=clean.non_finite[CLEAN],
        ),
        attacks,
        [transfer_check(label, names, one.correct) for label, one in attacks.items()],
    )


def _interval(correct: Correct) -> Interval:
    return Interval(*wilson(int(correct.sum()), len(correct)))
