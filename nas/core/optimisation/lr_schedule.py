"""Learning-rate schedules: the rate as a function of the optimiser step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

ONE_CYCLE_START = 25.0  # peak / first rate, torch's default
ONE_CYCLE_END = 1e4  # first rate / last rate, torch's default


def cosine(step: int, total: int, start: float, end: float) -> float:
    """Learning rate at `step` of `total`: end + (start - end)·(1 + cos(π·step/total))/2.

    Source: Loshchilov and Hutter, ICLR 2017 (arXiv:1608.03983), without restarts.
    """
    return end + (start - end) * (1 + math.cos(math.pi * step / total)) / 2


def one_cycle(step: int, total: int, peak: float, rise: float) -> float:
    """Rises from peak/25 to `peak` in the fraction `rise` of the steps, then falls to peak/25/10,000, along cosines.

    The formula of torch's `OneCycleLR`, whose rise ends at step rise·total - 1. The momentum is not changed.
    Source: Smith and Topin 2019 (arXiv:1708.07120).
    """
    first, top = peak / ONE_CYCLE_START, rise * total - 1
    if step <= top:
        return cosine(step, top, first, peak) if top > 0 else peak  # type: ignore[arg-type]
    return cosine(step - top, total - 1 - top, peak, first / ONE_CYCLE_END)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step of a training of `epochs` epochs.

    `kind` is one of `KINDS`. During the first `warmup` epochs (T steps) the rate of step t is lr·(t+1)/T. The cosine
    begins after the warmup; milestones and powers of `gamma` count epochs from the start of the training. `lr_min` is
    the lowest rate.
    """

    epochs: int
    lr: float
    lr_min: float = 0.0
    kind: str = "cosine"
    warmup: float = 0.0  # epochs
    milestones: list[int] = field(default_factory=list)  # step: epochs after which the rate is multiplied by gamma
    gamma: float = 0.1
    rise: float = 0.3  # onecycle: fraction of the steps before the highest rate

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """The rate of optimiser step `step`, counted from 0 over the whole training."""
        warm = round(self.warmup * steps_per_epoch)
        if step < warm:
            return max(self.lr_min, self.lr * (step + 1) / warm)
        return max(self.lr_min, KINDS[self.kind](self, step, steps_per_epoch, warm))


def _cosine(schedule: Schedule, step: int, steps_per_epoch: int, warm: int) -> float:
    return cosine(step - warm, schedule.epochs * steps_per_epoch - warm, schedule.lr, schedule.lr_min)


def _step(schedule: Schedule, step: int, steps_per_epoch: int, warm: int) -> float:
    passed = sum(step // steps_per_epoch >= milestone for milestone in schedule.milestones)
    return schedule.lr * schedule.gamma**passed


def _exponential(schedule: Schedule, step: int, steps_per_epoch: int, warm: int) -> float:
    return schedule.lr * schedule.gamma ** (step // steps_per_epoch)


def _one_cycle(schedule: Schedule, step: int, steps_per_epoch: int, warm: int) -> float:
    return one_cycle(step, schedule.epochs * steps_per_epoch, schedule.lr, schedule.rise)


KINDS: dict[str, Callable[[Schedule, int, int, int], float]] = {
    "cosine": _cosine,
    "step": _step,  # multiplied by gamma at each milestone
    "exponential": _exponential,  # multiplied by gamma after every epoch
    "onecycle": _one_cycle,
}
