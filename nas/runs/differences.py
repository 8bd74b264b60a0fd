"""Paired differences between the networks of one run, and which of them are significant.

All rows of a run's table `differences` are one family of tests: Holm's method corrects each p-value of McNemar's exact
test for the number of rows. Intervals are 95 % and uncorrected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from nas.core.statistics.paired import SIGNIFICANCE, holm, mcnemar, paired_difference
from nas.results import Correct, Difference, EvalResult, Interval, Result, RunResult
from nas.runs.difference_wording import difference_text
from nas.train import METHODS

R = TypeVar("R", bound=Result)


def differences(entries: Sequence[EvalResult]) -> list[Difference]:
    """Best against random cell, and adversarial against standard training, in each accuracy that both networks have.

    A row is significant if p of McNemar's exact test is below .05 after Holm's correction for all rows.
    """
    outcomes = {entry.name: entry.outcomes() for entry in entries}
    robust = [name for name, method in METHODS.components.items() if method.adversarial]
    pairs = [(f"best-{method}", f"random-{method}") for method in ["standard", *robust]]
    pairs += [(f"{cell}-{method}", f"{cell}-standard") for method in robust for cell in ("best", "random")]
    rows = []
    for first, second in pairs:
        if first not in outcomes or second not in outcomes:
            continue
        for metric, correct in outcomes[first].items():
            paired = paired_difference(correct.tolist(), outcomes[second][metric].tolist())
            rows.append(
                Difference(
                    first=first,
                    second=second,
                    metric=metric,
                    difference=paired.difference,
                    interval=Interval(paired.low, paired.high),
                    significant=False,
                    text="",
                )
            )
    return _judged(rows, outcomes, _doubted(entries))


def corrected(result: R) -> R:
    """A result of `nas run` with verdicts on its differences after correction; any other result unchanged.

    Results of version 0.1 called a difference significant if its uncorrected interval leaves out 0. Their rows are
    tested from the outcomes that the result holds. A row whose outcomes are missing counts in the correction of the
    others but is not significant; its `p` and `corrected` are `None`.
    """
    if not isinstance(result, RunResult) or not uncorrected(result):
        return result
    outcomes = {entry.name: entry.outcomes() for entry in result.models}
    return replace(result, differences=_judged(result.differences, outcomes, _doubted(result.models)))


def uncorrected(result: Result) -> bool:
    """Whether the result holds verdicts that were drawn from uncorrected intervals."""
    return isinstance(result, RunResult) and not all(row.judged for row in result.differences)


def _doubted(entries: Sequence[EvalResult]) -> set[str]:
    return {entry.name for entry in entries if entry.warning_checks}


def _judged(
    rows: Sequence[Difference], outcomes: Mapping[str, Mapping[str, Correct]], doubted: Collection[str]
) -> list[Difference]:
    """The rows with `p`, `corrected`, `significant` and their text filled in; all rows are one family.

    An unknown p counts as 1: that can only raise the corrected p-values of the others.
    """
    p_values = [_p(row, outcomes) for row in rows]
    judged = []
    for row, p, value in zip(rows, p_values, holm([1.0 if p is None else p for p in p_values])):
        significant = p is not None and value < SIGNIFICANCE
        tested = replace(row, p=p, corrected=None if p is None else value, significant=significant, judged=True)
        judged.append(replace(tested, text=difference_text(tested, doubted)))
    return judged


def _p(row: Difference, outcomes: Mapping[str, Mapping[str, Correct]]) -> float | None:
    first, second = (outcomes.get(name, {}).get(row.metric) for name in (row.first, row.second))
    if first is None or second is None or len(first) != len(second) or not len(first):
        return None
    return mcnemar(first.tolist(), second.tolist())
