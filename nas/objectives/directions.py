"""Columns of scores whose names say that lower is better, although they are searched for their highest values."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nas.objectives.notation import Term
from nas.strategies.proxies import PROXIES
from nas.tables.collection import SCORES
from nas.tables.layouts.quantities import quantity

NOTHING = np.empty(0)


def direction_remarks(terms: Iterable[Term]) -> list[str]:
    """A sentence for each goal `scores:NAME` without `:min` or `:max` that has the name of an error, a loss or a cost.

    A file of scores has no directions, so higher is better for its columns, but for those of known proxies.
    """
    return [
        f"Higher is better for {term.name}, as for every column of scores; if lower is, write {term.name}:min."
        for term in terms
        if term.higher_is_better is None
        and term.name.startswith(SCORES)
        and (name := term.name.rpartition(":")[2]) not in PROXIES.components
        and not quantity(name, NOTHING).higher_is_better
    ]
