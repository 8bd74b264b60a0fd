"""A paired difference and its verdict in words, for a run's results, its page and the command line."""

from __future__ import annotations

from collections.abc import Collection

from nas.core.statistics.paired import SIGNIFICANCE
from nas.results import CLEAN, Difference

NOT_SIGNIFICANT = "no difference shown"
UNTESTED = "not tested, as the result has no outcomes of its images"


def correction(count: int, where: str) -> str:
    """Sentences that say how `count` differences were tested, and that their intervals are not corrected."""
    return (
        "The intervals are uncorrected: each is that of a single comparison. A difference is called shown where p "
        f"of McNemar's exact test, paired on the same images, is below {SIGNIFICANCE:g} after Holm's correction for "
        f"all {count:,} differences {where}."
    )


def in_points(row: Difference) -> str:
    """A difference in points with its uncorrected interval."""
    return f"{100 * row.difference:+.1f} points [{100 * row.interval.low:+.1f}, {100 * row.interval.high:+.1f}]"


def disagreement(row: Difference) -> str:
    """What the uncorrected interval says if the corrected test disagrees with it; else an empty text."""
    excludes_zero = row.interval.low > 0 or row.interval.high < 0
    if row.significant == excludes_zero:
        return ""
    return f"although the uncorrected interval {'leaves out' if excludes_zero else 'contains'} 0"


def verdict(row: Difference, better: str) -> str:
    """Whether a difference is significant, in words: `better` if it is."""
    if row.corrected is None:
        return UNTESTED
    return ", ".join(filter(None, (better if row.significant else NOT_SIGNIFICANT, disagreement(row))))


def better(row: Difference, winner: str, doubted: bool) -> str:
    """That the winner is better; if one of its checks warns, under attack only that it keeps more."""
    return f"{winner} keeps more, but its checks warn" if doubted and row.metric != CLEAN else f"{winner} is better"


def difference_text(row: Difference, doubted: Collection[str] = ()) -> str:
    """A difference with its uncorrected interval and p-values, and the verdict; for the command line.

    `doubted` are the networks of which a check warns.
    """
    if row.corrected is None:
        return f"{in_points(row)}, {UNTESTED}"
    winner = row.first if row.difference > 0 else row.second
    text = f"{in_points(row)}, p = {row.p:.2g} ({row.corrected:.2g} corrected)"
    return f"{text}, {verdict(row, better(row, winner, winner in doubted))}"
