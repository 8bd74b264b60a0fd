"""All tables of a paper, each with a label of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from nas.report.paper.material import Paper
from nas.report.paper.network_tables import difference_tables, network_tables
from nas.report.paper.run_tables import run_tables
from nas.report.paper.table import Table


def tables(paper: Paper) -> list[Table]:
    """A table for all networks that were attacked alike on the same images, one for their paired differences, and one
    for each other result.
    """
    found = [*network_tables(paper), *difference_tables(paper), *chain.from_iterable(map(run_tables, paper.materials))]
    labels = [one.label for one in found]
    return [
        replace(one, label=f"{one.label}-{labels[:at].count(one.label) + 1}") if labels.count(one.label) > 1 else one
        for at, one in enumerate(found)
    ]
