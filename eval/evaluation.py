"""Attack one network on fixed batches of test images, and say what stood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from nas.core.data import Dataset, attacked
from nas.core.errors import InputError, NasError
from nas.core.images import check_unit_range, unit_range
from nas.core.loop import Progress
from nas.core.perturb import eval_mode
from nas.core.seeds import derive, seeded
from nas.eval.attacks import ATTACKS, Attack, named
from nas.eval.layout import ChannelsLast
from nas.eval.metrics import hrs, wilson
from nas.eval.settings import EvalSettings
from nas.search_spaces import Network

Flags = list[int]  # 1 where the image is classified rightly


class Outcomes(Protocol):
    """Where finished parts are kept, so that a stopped evaluation continues."""

    def get(self, key: str) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...


def evaluate(
    network: Network,
    dataset: Dataset,
    settings: EvalSettings,
    seed: int,
    device: torch.device,
    outcomes: Outcomes,
    progress: Progress = lambda done, total, note: None,
) -> dict[str, Any]:
    """Clean and robust accuracy, HRS and 95 % Wilson intervals on the first `n_test` images of the fixed permutation.

    An image is robust when it is classified rightly before and after the attack. Returns fractions: `n_test`, `clean`,
    `attacks`, `hrs`, `intervals`, the outcome per image as a text of 0 and 1 (`correct`), and the `sweep` over eps.
    """
    part = attacked(dataset, settings.n_test)
    plan = plan_of(settings, dataset.num_classes)
    bench = _Bench(network, unit_range(part.images), part.labels, settings.batch_size, seed, device, outcomes)
    total = bench.batches * (1 + sum(attack.passes(attack.steps) for _, attack in plan))
    done = 0.0

    def tick(passes: float, note: str) -> None:  # in passes, so that the time left can be told
        nonlocal done
        done += passes
        progress(round(done), round(total), note)

    standing = {"clean": bench.clean(tick)}
    for label, attack in plan:
        standing[label] = bench.robust(label, attack, standing["clean"], tick)

    reported = ["clean", *settings.attacks]
    accuracy = {label: sum(standing[label]) / len(part) for label in reported}
    radii = [factor * settings.eps for factor in settings.sweep]
    return {
        "norm": "Linf",
        "eps": settings.eps,
        "n_test": len(part),
        "clean": accuracy["clean"],
        "attacks": {label: accuracy[label] for label in settings.attacks},
        "hrs": {label: hrs(accuracy["clean"], accuracy[label]) for label in settings.attacks},
        "intervals": {label: list(wilson(sum(standing[label]), len(part))) for label in reported},
        "correct": {label: "".join(map(str, standing[label])) for label in reported},
        "sweep": {
            "attack": settings.sweep_attack,
            "eps": [0.0, *radii],
            "accuracy": [accuracy["clean"]]
            + [sum(standing[_at(settings.sweep_attack, radius)]) / len(part) for radius in radii],
        },
    }


def _at(name: str, eps: float) -> str:
    return f"{name}@{eps:.6g}"


def plan_of(settings: EvalSettings, num_classes: int) -> list[tuple[str, Attack]]:
    """Every attack to run, with the name under which its outcomes are kept; `InputError` where one is impossible."""
    plan = [(name, name, settings.eps) for name in settings.attacks]
    radii = (factor * settings.eps for factor in settings.sweep)
    plan += [(_at(settings.sweep_attack, radius), settings.sweep_attack, radius) for radius in radii]
    made = []
    for label, name, eps in plan:
        kind, steps = named(ATTACKS, name)
        step_size = None if settings.step_size is None else settings.step_size * eps / settings.eps
        attack = kind(eps, step_size, steps)
        attack.check(num_classes)
        made.append((label, attack))
    return made


class _Bench:
    """One network and its fixed batches; every (attack, stage, batch) is kept as soon as it is done."""

    def __init__(
        self,
        network: Network,
        images: Tensor,
        labels: Tensor,
        size: int,
        seed: int,
        device: torch.device,
        outcomes: Outcomes,
    ) -> None:
        check_unit_range(images)
        network = network.to(device).to(memory_format=torch.channels_last).requires_grad_(False)
        self.network = ChannelsLast(network).eval()
        self.images = images.to(device).contiguous().split(size)
        self.labels = labels.to(device).split(size)
        self.batches = len(self.labels)
        self.seed = seed
        self.outcomes = outcomes

    def _kept(self, key: str, compute: Callable[[], Flags]) -> Flags:
        flags = self.outcomes.get(key)
        if flags is None:
            flags = compute()
            self.outcomes.put(key, flags)
        return flags

    def _right(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            return self.network(x).argmax(1) == y

    def clean(self, tick: Callable[[float, str], None]) -> Flags:
        flags: Flags = []
        for batch, (x, y) in enumerate(zip(self.images, self.labels)):
            flags += self._kept(f"clean/{batch}", lambda x=x, y=y: self._right(x, y).int().tolist())  # type: ignore[misc]
            tick(1, "clean")
        return flags

    def robust(self, label: str, attack: Attack, clean: Flags, tick: Callable[[float, str], None]) -> Flags:
        flags: Flags = []
        for batch in range(self.batches):
            left = clean[len(flags) : len(flags) + len(self.labels[batch])]
            for stage in attack.stages:
                left = self._kept(
                    f"{label}/{stage}/{batch}",
                    lambda left=left, stage=stage, batch=batch: self._stage(label, attack, stage, batch, left),  # type: ignore[misc]
                )
                tick(attack.passes(attack.steps) / len(attack.stages), label)
            flags += left
        return flags

    def _stage(self, label: str, attack: Attack, stage: str, batch: int, left: Flags) -> Flags:
        """Attack what is left standing of a batch; returns what is standing afterwards."""
        standing = torch.tensor(left, dtype=torch.bool, device=self.labels[batch].device)
        if not any(left):
            return left
        x, y = self.images[batch][standing], self.labels[batch][standing]
        seed = derive(self.seed, label, stage, batch)
        with seeded(seed), eval_mode(self.network):  # torchattacks changes modes
            x_adv = attack.perturb(self.network, x, y, stage, seed).detach()
        if not bool((x_adv - x).abs().max() <= attack.eps + 1e-5) or not bool((x_adv.clamp(0, 1) == x_adv).all()):
            raise NasError(
                f"The attack {label} left its ball or [0, 1] (or became NaN); this is a defect of its library."
            )
        after = standing.clone()
        after[standing] = self._right(x_adv, y)
        return after.int().tolist()


def check_attacks(settings: EvalSettings) -> None:
    """`InputError` where an attack of `settings` is unknown, before anything expensive has run."""
    if not settings.attacks:
        raise InputError(
            "Expected at least one attack in eval.attacks but got none; the usual are fgsm,pgd20,autoattack."
        )
    for name in [*settings.attacks, settings.sweep_attack]:
        named(ATTACKS, name)
