"""Paired differences between the networks of one run, and which of them are shown.

The family of a run's verdicts is its whole table `differences`: each p-value of McNemar's exact test is corrected by
Holm for the number of all rows. Intervals are 95 % and uncorrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.eval.metrics import SIGNIFICANCE, holm, mcnemar, paired_difference
from nas.train import METHODS

Row = dict[str, Any]
UNSHOWN = "no difference shown"
UNTESTED = "not tested, as the result has no outcomes of its images"


def differences(entries: Sequence[dict[str, Any]]) -> list[Row]:
    """Best against random and adversarial against standard training, on each accuracy that both networks have.

    A row has the difference with its uncorrected 95 % interval, `p` of McNemar's exact test, `corrected` (that p after
    Holm's correction for all rows), and `shown`: whether `corrected` is below .05.
    """
    outcomes = {entry["name"]: _outcomes(entry) for entry in entries}
    robust = [name for name, method in METHODS.components.items() if method.adversarial]
    pairs = [(f"best-{method}", f"random-{method}") for method in ["standard", *robust]]
    pairs += [(f"{cell}-{method}", f"{cell}-standard") for method in robust for cell in ("best", "random")]
    rows: list[Row] = []
    for first, second in pairs:
        if first not in outcomes or second not in outcomes:
            continue
        for metric, right in outcomes[first].items():
            paired = paired_difference(_flags(right), _flags(outcomes[second][metric]))
            found = {"difference": paired.difference, "interval": [paired.low, paired.high]}
            rows.append({"first": first, "second": second, "metric": metric, **found})
    return _judged(rows, outcomes)


def corrected(result: dict[str, Any]) -> dict[str, Any]:
    """A result of `nas run` whose differences have their verdicts after correction; any other result as it is.

    Results of version 0.1 called a difference shown where its uncorrected interval leaves out 0. Their rows are tested
    from the outcomes that the result holds. A row whose outcomes are missing counts in the correction of the others
    but is not shown; its `p` and `corrected` are `None`.
    """
    if not uncorrected(result):
        return result
    outcomes = {entry["name"]: _outcomes(entry) for entry in result.get("models") or []}
    return {**result, "differences": _judged(result["differences"], outcomes)}


def uncorrected(result: dict[str, Any]) -> bool:
    """Whether the result holds verdicts that were drawn from uncorrected intervals."""
    return not all("corrected" in row for row in result.get("differences") or [])


def _judged(rows: Sequence[Row], outcomes: dict[str, dict[str, str]]) -> list[Row]:
    """The rows with `p`, `corrected`, `shown` and their text; the family is all of them.

    An unknown p counts as 1: that can only raise the corrected p-values of the others.
    """
    p_values = [_p(row, outcomes) for row in rows]
    judged = []
    for row, p, value in zip(rows, p_values, holm([1.0 if p is None else p for p in p_values])):
        tested = {"p": p, "corrected": None if p is None else value, "shown": p is not None and value < SIGNIFICANCE}
        judged.append({**row, **tested, "text": difference_text({**row, **tested})})
    return judged


def _p(row: Row, outcomes: dict[str, dict[str, str]]) -> float | None:
    first, second = (outcomes.get(row[name], {}).get(row["metric"], "") for name in ("first", "second"))
    return mcnemar(_flags(first), _flags(second)) if first and len(first) == len(second) else None


def _outcomes(entry: dict[str, Any]) -> dict[str, str]:
    """The images that are right under each accuracy, as texts of 0 and 1."""
    worst = entry.get("worst_case") or {}
    several = len(worst.get("attacks", [])) > 1 and "correct" in worst
    return {**entry.get("correct", {}), **({"worst_case": worst["correct"]} if several else {})}


def _flags(text: str) -> list[bool]:
    return [flag == "1" for flag in text]


def correction(count: int, where: str) -> str:
    """In words: how `count` differences were judged, and that their intervals are not corrected."""
    return (
        "The intervals are uncorrected: each is that of a single comparison. A difference is called shown where p "
        f"of McNemar's exact test, paired on the same images, is below {SIGNIFICANCE:g} after Holm's correction for "
        f"all {count:,} differences {where}."
    )


def in_points(row: Mapping[str, Any]) -> str:
    """A difference in points with its uncorrected interval."""
    low, high = row["interval"]
    return f"{100 * row['difference']:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def disagreement(row: Mapping[str, Any]) -> str:
    """What the uncorrected interval says where the corrected test says otherwise; nothing where they agree."""
    low, high = row["interval"]
    excludes_zero = low > 0 or high < 0
    if row["shown"] == excludes_zero:
        return ""
    return f"although the uncorrected interval {'leaves out' if excludes_zero else 'contains'} 0"


def verdict(row: Mapping[str, Any], better: str) -> str:
    """Whether a difference is shown, in words; `better` is said where it is."""
    if row["corrected"] is None:
        return UNTESTED
    return ", ".join(filter(None, (better if row["shown"] else UNSHOWN, disagreement(row))))


def difference_text(row: Mapping[str, Any]) -> str:
    """A difference with its uncorrected interval and p-values, and whether it is shown; for the command line."""
    if row["corrected"] is None:
        return f"{in_points(row)}, {UNTESTED}"
    text = f"{in_points(row)}, p = {row['p']:.2g} ({row['corrected']:.2g} corrected)"
    if row["shown"] and not disagreement(row):
        return text
    return f"{text}, {verdict(row, 'shown')}"
