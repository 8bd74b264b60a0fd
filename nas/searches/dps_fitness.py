"""How well a setting of Eproxy ranks labelled architectures."""

from __future__ import annotations

import math

from nas.core.statistics.ranks import spearman, spearman_difference
from nas.results import HeldOut, Ranking, RhoDifference

TOP = 0.1  # the fraction of architectures that count as the best, and as those that the proxy puts first


def agreement(losses: list[float | None], accuracies: list[float]) -> float:
    """Spearman's rho of -loss and accuracy; without a loss an architecture ranks last. -1 if all rank the same."""
    values = ranked(losses)
    return spearman(values, accuracies) if len(set(values)) > 1 else -1.0


def ranked(losses: list[float | None]) -> list[float]:
    """The negated losses, so that higher is better; an architecture without a loss gets a value below all others."""
    last = 1 + max((loss for loss in losses if loss is not None), default=0.0)
    return [-(last if loss is None else loss) for loss in losses]


def retrieval(losses: list[float | None], accuracies: list[float]) -> float:
    """The fraction of the best tenth of architectures that is in the tenth of lowest loss; ties keep their order."""
    number = max(1, round(TOP * len(losses)))
    best = sorted(range(len(losses)), key=lambda place: -accuracies[place])[:number]
    first = sorted(range(len(losses)), key=lambda place: math.inf if (at := losses[place]) is None else at)[:number]
    return len(set(best) & set(first)) / number


def compare(losses: dict[str, list[float | None]], accuracies: list[float]) -> HeldOut:
    """Rho and retrieval of plain Eproxy and of the best setting, and the rhos' difference with its 95 % interval."""
    plain, dps = (
        Ranking(agreement(values, accuracies), retrieval(values, accuracies), values.count(None))
        for values in (losses["plain"], losses["dps"])
    )
    difference = spearman_difference(ranked(losses["dps"]), ranked(losses["plain"]), accuracies)
    known = all(map(math.isfinite, difference))
    return HeldOut(len(accuracies), plain, dps, RhoDifference(*difference) if known else None)
