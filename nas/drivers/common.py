"""Join files of proxy scores and tables on the architecture, and count what could not be used and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.core.registry import suggest
from nas.search_spaces import NASBench201
from nas.strategies.proxies import PROXIES
from nas.tables import Table

FEWEST = 3  # architectures below which a rank correlation says nothing at all
REASONS = {  # of a row that is left out -> in words
    "repeated": "repeat an architecture of the same file",
    "failed": "have a proxy that failed",
    "not_common": "are not in every score file",
    "not_in_tables": "have no value in a table",
    "isomorphic": "are isomorphic to one that was taken",
}


@dataclass(frozen=True)
class Scored:
    """A proxy's values on the common architectures, turned so that higher is better; `size` says whose sizes."""

    values: np.ndarray
    size: int
    higher_is_better: bool | None  # as the registry declares it; None for a proxy that it does not have


@dataclass(frozen=True)
class Common:
    """What all files and tables have. `sizes` holds the weights of the strings that each score file scored."""

    n: int
    rows: int
    dropped: dict[str, int]
    failed: dict[str, int]
    proxies: dict[str, Scored]
    columns: list[np.ndarray]  # per column (n, levels)
    sizes: list[list[int]]


def common_rows(
    scores: Sequence[Table], proxies: Sequence[str], columns: Sequence[tuple[np.ndarray, Table]]
) -> Common:
    """One architecture of each class of isomorphic cells that has a score of every proxy and a value in every column.

    Where a file has several members of a class, a string that all files have is preferred, then the one that the
    first table has under its own string, then the class's representative.
    """
    chosen = _chosen(scores, proxies)
    used = [scores[file] for file in dict.fromkeys(file for file, _ in chosen.values())]
    numbers = {id(table): number for number, table in enumerate(used)}
    dropped: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    members: list[dict[str, list[int]]] = []  # per file: class -> its usable rows
    for file, table in enumerate(used):
        dropped["repeated"] += getattr(table, "repeated", 0)
        fine = np.ones(len(table.architectures), dtype=bool)
        for name, (owner, column) in chosen.items():
            if scores[owner] is table:
                finite = np.isfinite(table.column(column))
                failed[name] += int((~finite).sum())
                fine &= finite
        dropped["failed"] += int((~fine).sum())
        members.append(defaultdict(list))
        for row in np.flatnonzero(fine):
            members[file][table.classes[row]].append(int(row))

    shared = [name for name in members[0] if all(name in found for found in members)]
    dropped["not_common"] = sum(len(rows) for found in members for name, rows in found.items() if name not in shared)
    return Common(0, 0, {}, {}, {}, [], [])
