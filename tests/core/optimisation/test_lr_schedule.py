"""Learning rates against closed forms and torch's own schedulers."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch.optim import lr_scheduler

from nas.core.optimisation.lr_schedule import KINDS, Schedule, cosine, one_cycle


def rates(schedule: Schedule, steps: int) -> list[float]:
    return [schedule.rate(step, steps) for step in range(schedule.epochs * steps)]


def of_torch(make: object, lr: float, total: int, each: int = 1) -> list[float]:
    """The rates that torch's scheduler gives when it is stepped every `each` steps."""
    assert callable(make)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    scheduler, found = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimiser never steps
        for step in range(total):
            found.append(optimizer.param_groups[0]["lr"])
            if (step + 1) % each == 0 and step + 1 < total:
                scheduler.step()
    return found


def test_cosine_at_its_marks() -> None:
    assert cosine(0, 100, 0.1, 0.01) == 0.1
    assert cosine(50, 100, 0.1, 0.01) == pytest.approx(0.055)
    assert cosine(100, 100, 0.1, 0.01) == pytest.approx(0.01)
    assert cosine(25, 100, 1.0, 0.0) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    falling = [cosine(step, 30, 0.1, 0.0) for step in range(31)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(("total", "share"), [(50, 0.3), (7, 0.5), (200, 0.1)])
def test_one_cycle_is_that_of_torch(total: int, share: float) -> None:
    expected = of_torch(lambda o: lr_scheduler.OneCycleLR(o, 0.05, total, pct_start=share), 0.05, total)
    assert [one_cycle(step, total, 0.05, share) for step in range(total)] == pytest.approx(expected, rel=1e-9)
    assert rates(Schedule(total // 1, 0.05, kind="onecycle", rise=share), 1) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_cycle_may_only_rise_or_only_fall(share: float) -> None:
    found = [one_cycle(step, 10, 0.1, share) for step in range(10)]
    assert max(found) == pytest.approx(0.1, rel=0.1)
    assert all(rate > 0 for rate in found)


def test_one_cycle_whose_rise_is_its_first_step_begins_at_the_peak() -> None:
    assert one_cycle(0, 10, 0.1, 0.1) == 0.1
    assert one_cycle(9, 10, 0.1, 0.1) == pytest.approx(0.1 / 25 / 10_000)


def test_step_is_that_of_torch() -> None:
    schedule = Schedule(6, 0.1, kind="step", milestones=[2, 5], gamma=0.2)
    expected = of_torch(lambda o: lr_scheduler.MultiStepLR(o, [2, 5], 0.2), 0.1, 24, 4)
    assert rates(schedule, 4) == pytest.approx(expected)


def test_exponential_is_that_of_torch() -> None:
    expected = of_torch(lambda o: lr_scheduler.ExponentialLR(o, 0.97), 0.1, 15, 3)
    assert rates(Schedule(5, 0.1, kind="exponential", gamma=0.97), 3) == pytest.approx(expected)


def test_cosine_is_that_of_torch_step_by_step() -> None:
    expected = of_torch(lambda o: lr_scheduler.CosineAnnealingLR(o, 20, 0.01), 0.3, 20)
    assert rates(Schedule(4, 0.3, 0.01), 5) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["cosine", "step", "exponential"])
def test_the_warm_up_rises_linearly_to_the_rate(kind: str) -> None:
    found = rates(Schedule(6, 0.4, kind=kind, warmup=2, milestones=[4], gamma=0.5), 5)
    assert found[:10] == pytest.approx([0.4 * (step + 1) / 10 for step in range(10)])
    if kind == "cosine":  # over the four epochs that are left
        assert found[10:] == pytest.approx([cosine(step, 20, 0.4, 0.0) for step in range(20)])
    else:  # epochs count from the start of the training
        assert found[10:] == rates(Schedule(6, 0.4, kind=kind, milestones=[4], gamma=0.5), 5)[10:]


@pytest.mark.parametrize("kind", KINDS)
def test_no_rate_is_below_the_least(kind: str) -> None:
    found = rates(Schedule(8, 0.1, 0.03, kind, milestones=[2, 4], gamma=0.1), 10)
    assert min(found) >= 0.03
    assert max(found) <= 0.1 + 1e-12
