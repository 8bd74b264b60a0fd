"""Whether adversarial examples of one network fool others: a matrix of accuracies, with white-box on the diagonal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from nas.core.data import Split
from nas.core.images import unit_range
from nas.core.io.records import Record
from nas.core.seeds import derive
from nas.core.storage.base import FactStore
from nas.eval.attack_runner import AttackRunner, Flags, Tick
from nas.eval.attacks import Attack
from nas.eval.checks import transfer_check
from nas.eval.measures.attacked_confidence import attacked_images
from nas.eval.metrics import accuracy
from nas.eval.non_finite import total
from nas.eval.plan import AttackOptions, make_attack
from nas.eval.settings import EvalSettings
from nas.results import CLEAN, Check, CleanAccuracies, Correct, Count, TransferMatrix

TRANSFER_SETTINGS = (  # keys of `eval` that `nas transfer` uses
    *("attacks", "eps", "norm", "step_size", "restarts", "n_test", "batch_size"),
    *("model_options", "normalise", "mean", "std"),
)


@dataclass(frozen=True, eq=False)
class TransferOutcomes(Record):
    """The outcomes of each network on clean images and after attacks on one network: metric → network → outcome."""

    correct: dict[str, dict[str, Correct]]
    non_finite: dict[str, dict[str, Count]]  # number of images with a NaN or infinite logit


class Matrices(NamedTuple):
    """The part of a `TransferResult` about all networks together."""

    clean: CleanAccuracies
    attacks: dict[str, TransferMatrix]
    checks: list[Check]


def reset_unused(settings: EvalSettings) -> EvalSettings:
    """The settings, with defaults in place of those that `nas transfer` does not use."""
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
    """Which images each network classifies correctly, clean and after `settings.attacks` on the network `source`.

    Every image is attacked, also those that the source misclassifies (the parts of AutoAttack do not change these). An
    image is correct for a network that classifies it correctly before and after the attack. Where an unbounded attack
    left the ball, the networks get the clean image. An image with a NaN or infinite logit counts as wrong. The outcome
    of each attack and batch is stored as soon as it is known. Source: Mok et al., ICCV 2021 (AdvRush).
    """
    images = unit_range(part.images)
    size = settings.batch_size
    runners = {
        name: AttackRunner(network, images, part.labels, size, seed, device, outcomes, f"{name}/")
        for name, network in networks.items()
    }
    clean = {name: runner.clean(tick) for name, runner in runners.items()}
    correct = {CLEAN: {name: np.array(flags) == 1 for name, flags in clean.items()}}
    non_finite = {CLEAN: {name: runner.non_finite[CLEAN] for name, runner in runners.items()}}
    attacked = runners[source]
    for label in settings.attacks:
        attack = make_attack(label, settings)
        robust: dict[str, Flags] = {name: [] for name in networks}
        counts: list[dict[str, int] | None] = []
        for batch in range(attacked.batches):
            before = {name: flags[batch * size : (batch + 1) * size] for name, flags in clean.items()}
            flags, count = attacked.once_with_count(
                attack.kept_as(f"{label}/{batch}", attacked.images[batch]),
                lambda: _batch(attacked, runners, attack, label, batch, before),  # noqa: B023
            )
            for name in networks:
                robust[name] += flags[name]
            counts.append(count)
            tick(attack.passes(), f"{label} on {source}")
        correct[label] = {name: np.array(flags) == 1 for name, flags in robust.items()}
        non_finite[label] = {
            name: total(f"{label} on {source}", [None if one is None else one[name] for one in counts])
            for name in networks
        }
    return TransferOutcomes(correct, non_finite)


def transfer_ticks(settings: AttackOptions, networks: int) -> float:
    """The sum of the passes with which `transfer` calls its `tick`."""
    each = networks + sum(make_attack(label, settings).passes() for label in settings.attacks)
    return -(-settings.n_test // settings.batch_size) * each


def _batch(
    attacked: AttackRunner,
    runners: dict[str, AttackRunner],
    attack: Attack,
    label: str,
    batch: int,
    before: dict[str, Flags],
) -> tuple[dict[str, Flags], dict[str, int]]:
    """For each network the flags of one batch after the attack, and the number of images with a non-finite logit."""
    x, y = attacked.images[batch], attacked.labels[batch]
    seed = derive(attacked.seed, attacked.prefix, "transfer", label, batch)
    x_adv = attacked_images(attacked.network, x, y, attack, seed)
    x_adv = torch.where(attack.admitted(x_adv, x)[:, None, None, None], x_adv, x)
    after, non_finite = {}, {}
    for name, runner in runners.items():
        is_correct, is_finite = runner.classify(x_adv, y)
        after[name] = [a * b for a, b in zip(is_correct.int().tolist(), before[name])]
        non_finite[name] = int((~is_finite).sum())
    return after, non_finite


def matrix(rows: Mapping[str, TransferOutcomes]) -> Matrices:
    """The results of all sources, in the order of `rows`; the diagonal is white-box.

    `checks` says whether examples made on another network break more images of a network than those made on itself.
    """
    names, first = list(rows), next(iter(rows.values()))
    attacks = {}
    for label in first.correct:
        if label != CLEAN:
            correct = [[rows[source].correct[label][target] for target in names] for source in names]
            attacks[label] = TransferMatrix(
                accuracy=[[accuracy(cell)[0] for cell in row] for row in correct],
                intervals=[[accuracy(cell)[1] for cell in row] for row in correct],
                correct=correct,
                non_finite=[[rows[source].non_finite[label][target] for target in names] for source in names],
            )
    clean = first.correct[CLEAN]
    return Matrices(
        CleanAccuracies(
            accuracy={name: accuracy(correct)[0] for name, correct in clean.items()},
            intervals={name: accuracy(correct)[1] for name, correct in clean.items()},
            correct=clean,
            non_finite=first.non_finite[CLEAN],
        ),
        attacks,
        [transfer_check(label, names, one.correct) for label, one in attacks.items()],
    )
