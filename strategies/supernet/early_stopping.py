"""When a supernet search should end early: too many skip connections, or a validation loss that grows sharp."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from nas.results import SupernetEpoch
from nas.strategies.supernet.options import BilevelOptions

WINDOW = 5  # epochs over which eigenvalues are averaged
BACK = 5  # epochs between the two averages that are compared
RATIO = 0.75  # stop when the old average is less than so much of the new one


class End(NamedTuple):
    """Of a search before its last epoch."""

    reason: str
    chosen: SupernetEpoch  # whose architecture is taken


def early_end(options: BilevelOptions, history: Sequence[SupernetEpoch]) -> End | None:
    """Whether a criterion ends the search after the last epoch of its history; none does in the warm-up."""
    last = history[-1]
    if last.warm_up:
        return None
    first, skips = next(iter(last.skips.items()))  # of the normal cell, or the only one
    if options.stop_skips is not None and skips >= options.stop_skips:
        return End(f"{skips} skip connections in the {first.removeprefix('skips_')} cell", last)
    eigenvalues = [epoch.eigenvalue for epoch in history if epoch.eigenvalue is not None]
    if options.stop_eigenvalue and has_sharpened(eigenvalues):
        return End("the validation loss became sharp in the architecture parameters", history[-1 - BACK])
    return None


def has_sharpened(eigenvalues: Sequence[float]) -> bool:
    """Whether mean λ(i - 5) / mean λ(i) < 0.75, i the last epoch, each a mean over the 5 epochs up to there.

    False before 10 epochs, and where an average is not positive. The architecture to take then is that of epoch i - 5.
    Source: Zela et al., ICLR 2020 (arXiv:1909.09656), whose average is around the epoch.
    """
    if len(eigenvalues) < WINDOW + BACK:
        return False
    old, new = fmean(eigenvalues[-BACK - WINDOW : -BACK]), fmean(eigenvalues[-WINDOW:])
    return 0 < old < RATIO * new


def is_collapsing(skips: int, edges: int) -> bool:
    """Whether more than half of a derived cell's edges are skip connections: DARTS's well-known failure."""
    return 2 * skips > edges
