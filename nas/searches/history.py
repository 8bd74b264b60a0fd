"""What the store tells about a search: its evaluations in their order, the best so far, and why some failed."""

from __future__ import annotations

import math
from typing import NamedTuple

from nas.core.limit import Limits
from nas.core.storage.base import Store
from nas.strategies import Goal

MAX_REASONS = 100  # different reasons of failures that are counted separately


class Step(NamedTuple):
    """One evaluation of a search; `number` is its position in the history, from 1."""

    number: int
    arch: str
    value: float | None  # of the goal; None where it failed
    best: float | None  # so far
    reason: str | None  # why it failed


def trajectory(store: Store, goal: Goal, limits: Limits | None = None, most: int = 20_000) -> list[Step]:
    """Every evaluation in the order of the history, with the best value so far, which is within the limits.

    Of more than `most` evaluations, the list has only every k-th, every new best, and the last.
    """
    best = -math.inf
    rows = []
    count = store.history_length()
    step = math.ceil(count / most)
    for number, evaluation in enumerate(store.history(), start=1):
        within = evaluation.result is not None and (limits is None or limits.hold(evaluation.result))
        fitness = goal.fitness(evaluation.result) if within and evaluation.result is not None else -math.inf
        if fitness <= best and number % step and number < count:
            continue
        best = max(best, fitness)
        value = None if evaluation.result is None else evaluation.result[goal.name]
        so_far = None if math.isinf(best) else best if goal.higher_is_better else -best
        rows.append(Step(number, evaluation.key, value, so_far, evaluation.failure))
    return rows


def failures(store: Store) -> dict[str, int]:
    """How often evaluations failed for each reason; beyond `MAX_REASONS` reasons, all others are counted as one."""
    counted: dict[str, int] = {}
    for evaluation in store.history():
        if evaluation.result is None:
            reason = evaluation.failure or "no reason was stored"
            reason = reason if reason in counted or len(counted) < MAX_REASONS else "other reasons"
            counted[reason] = counted.get(reason, 0) + 1
    return counted
