"""Paired differences between the networks of one run, and which of them are shown.

The family of a run's verdicts is its whole table `differences`: each p-value of McNemar's exact test is corrected by
Holm for the number of all rows. Intervals are 95 % and uncorrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from nas.eval.metrics import SIGNIFICANCE, holm, mcnemar, paired_difference
from nas.results import Correct, Difference, EvalResult, Interval, Result, RunResult
from nas.train import METHODS

UNSHOWN = "no difference shown"
UNTESTED = "not tested, as the result has no outcomes of its images"
R = TypeVar("R", bound=Result)


def differences(entries: Sequence[EvalResult]) -> list[Difference]:
    """Best against random and adversarial against standard training, on each accuracy that both networks have.

    A row is shown where p of McNemar's exact test is below .05 after Holm's correction for all rows.
    """
    outcomes = {entry.name: entry.outcomes() for entry in entries}
    robust = [name for name, method in METHODS.components.items() if method.adversarial]
    pairs = [(f"best-{method}", f"random-{method}") for method in ["standard", *robust]]
    pairs += [(f"{cell}-{method}", f"{cell}-standard") for method in robust for cell in ("best", "random")]
    rows = []
    for first, second in pairs:
        if first not in outcomes or second not in outcomes:
            continue
        for metric, right in outcomes[first].items():
            paired = paired_difference(right.tolist(), outcomes[second][metric].tolist())
            rows.append(
                Difference(
                    first=first,
                    second=second,
                    metric=metric,
                    difference=paired.difference,
                    interval=Interval(paired.low, paired.high),
                    shown=False,
                    text="",
                )
            )
    return _judged(rows, outcomes)


def corrected(result: R) -> R:
    """A result of `nas run` whose differences have their verdicts after correction; any other result as it is.

    Results of version 0.1 called a difference shown where its uncorrected interval leaves out 0. Their rows are tested
    from the outcomes that the result holds. A row whose outcomes are missing counts in the correction of the others
    but is not shown; its `p` and `corrected` are `None`.
    """
    if not isinstance(result, RunResult) or not uncorrected(result):
        return result
    outcomes = {entry.name: entry.outcomes() for entry in result.models}
    return replace(result, differences=_judged(result.differences, outcomes))


def uncorrected(result: Result) -> bool:
    """Whether the result holds verdicts that were drawn from uncorrected intervals."""
    return isinstance(result, RunResult) and any(row.corrected is None for row in result.differences)


def _judged(rows: Sequence[Difference], outcomes: Mapping[str, Mapping[str, Correct]]) -> list[Difference]:
    """The rows with `p`, `corrected`, `shown` and their text; the family is all of them.

    An unknown p counts as 1: that can only raise the corrected p-values of the others.
    """
    p_values = [_p(row, outcomes) for row in rows]
    judged = []
    for row, p, value in zip(rows, p_values, holm([1.0 if p is None else p for p in p_values])):
        shown = p is not None and value < SIGNIFICANCE
        tested = replace(row, p=p, corrected=None if p is None else value, shown=shown)
        judged.append(replace(tested, text=difference_text(tested)))
    return judged


def _p(row: Difference, outcomes: Mapping[str, Mapping[str, Correct]]) -> float | None:
    first, second = (outcomes.get(name, {}).get(row.metric) for name in (row.first, row.second))
    if first is None or second is None or len(first) != len(second) or not len(first):
        return None
    return mcnemar(first.tolist(), second.tolist())


def correction(count: int, where: str) -> str:
    """In words: how `count` differences were judged, and that their intervals are not corrected."""
    return (
        "The intervals are uncorrected: each is that of a single comparison. A difference is called shown where p "
        f"of McNemar's exact test, paired on the same images, is below {SIGNIFICANCE:g} after Holm's correction for "
        f"all {count:,} differences {where}."
    )


def in_points(row: Difference) -> str:
    """A difference in points with its uncorrected interval."""
    return f"{100 * row.difference:+.1f} points [{100 * row.interval.low:+.1f}, {100 * row.interval.high:+.1f}]"


def disagreement(row: Difference) -> str:
    """What the uncorrected interval says where the corrected test says otherwise; nothing where they agree."""
    excludes_zero = row.interval.low > 0 or row.interval.high < 0
    if row.shown == excludes_zero:
        return ""
    return f"although the uncorrected interval {'leaves out' if excludes_zero else 'contains'} 0"


def verdict(row: Difference, better: str) -> str:
    """Whether a difference is shown, in words; `better` is said where it is."""
    if row.corrected is None:
        return UNTESTED
    return ", ".join(filter(None, (better if row.shown else UNSHOWN, disagreement(row))))


def difference_text(row: Difference) -> str:
    """A difference with its uncorrected interval and p-values, and whether it is shown; for the command line."""
    if row.corrected is None:
        return f"{in_points(row)}, {UNTESTED}"
    text = f"{in_points(row)}, p = {row.p:.2g} ({row.corrected:.2g} corrected)"
    if row.shown and not disagreement(row):
        return text
    return f"{text}, {verdict(row, 'shown')}"
