"""Join files of proxy scores and tables on the architecture, and count what could not be used and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.core.registry import suggest
from nas.strategies.proxies import PROXIES
from nas.tables import ArrayTable, Table

FEWEST = 3  # architectures below which there is nothing to rank
REASONS = {  # why a row is left out -> in words
    "repeated": "repeat an architecture of their file",
    "failed": "have a proxy that failed",
    "not_common": "have no counterpart in another score file",
    "not_in_tables": "have no value in a table",
    "isomorphic": "are isomorphic to one that was taken",
}


@dataclass(frozen=True)
class Scored:
    """A proxy's values on the common architectures, turned so that higher is better."""

    values: np.ndarray  # (n,)
    file: int  # whose strings were scored
    higher_is_better: bool | None  # as the registry declares it; None for a proxy that it does not have


@dataclass(frozen=True)
class Joined:
    """What all files and tables have: n architectures."""

    n: int
    classes: list[str]  # (n,) their classes; each its own unless every string counts
    rows: int  # of all files: n for each file, and the dropped ones
    dropped: dict[str, int]  # by reason
    failed: dict[str, int]  # rows without a value, by proxy
    empty: list[str]  # proxies without any value, left out
    proxies: dict[str, Scored]
    columns: list[np.ndarray]  # per column (levels, n)
    sizes: np.ndarray  # (files, n): weights of the string that the file scored


def in_words(dropped: dict[str, int], failed: dict[str, int]) -> str:
    """What was dropped and why; empty where nothing was."""
    parts = [f"{count:,} {REASONS[reason]}" for reason, count in dropped.items() if count]
    failing = [f"{name} {count:,}" for name, count in failed.items() if count]
    return ", ".join(parts) + (f" (failed: {', '.join(failing)})" if failing else "")


def join(
    scores: Sequence[ArrayTable],
    proxies: Sequence[str],
    columns: Sequence[tuple[Table, np.ndarray]],
    every_string: bool = False,
) -> Joined:
    """The architectures with a score of every proxy and a value in every column, given as (table, (rows, levels)).

    There is one of each class of isomorphic cells: where a file has several members of a class, one that all files
    have is preferred, then one with a row of its own in the first table, then the class's representative. With
    `every_string` each string counts, also beside others of its class. Proxies are all of the files unless some are
    named.
    """
    chosen, empty = _chosen(scores, proxies)
    used = list(dict.fromkeys(file for file, _ in chosen.values()))
    failed = {name: int((~np.isfinite(scores[file].column(column))).sum()) for name, (file, column) in chosen.items()}
    usable = [
        _usable(scores[file], [c for owner, c in chosen.values() if owner == file], every_string) for file in used
    ]
    shared = [name for name in usable[0] if all(name in found for found in usable)]
    picked = [_pick(name, [found[name] for found in usable], columns[0][0]) for name in shared]
    values = [_of(table, levels, [strings[0] for strings in picked]) for table, levels in columns]
    known = np.all([np.isfinite(levels).all(axis=0) for levels in values], axis=0)
    kept = np.flatnonzero(known)
    strings = [[picked[at][file] for at in kept] for file in range(len(used))]  # per file, those that were scored

    rows = sum(len(scores[file].architectures) for file in used)
    members = {name: sum(len(found[name]) for found in usable) for name in shared}  # rows by class, in all files
    fine = sum(len(of_class) for found in usable for of_class in found.values())
    there = sum(members[shared[at]] for at in kept)
    repeated = sum(scores[file].repeated for file in used)
    dropped = {
        "repeated": repeated,
        "failed": rows - fine,
        "not_common": fine - sum(members.values()),
        "not_in_tables": sum(members.values()) - there,
        "isomorphic": there - len(used) * len(kept),
    }
    if len(kept) < FEWEST:
        why = in_words(dropped, failed)
        raise InputError(
            f"Expected at least {FEWEST} architectures that all score files and tables have but got {len(kept)}: of "
            f"{rows + repeated:,} rows {why or 'none was dropped'}; leave out a file, proxy or column, or score more."
        )
    return Joined(
        n=len(kept),
        classes=_classes(scores[used[0]], strings[0]),
        rows=rows + repeated,
        dropped=dropped,
        failed=failed,
        empty=empty,
        proxies={
            name: _scored(scores[file], column, strings[used.index(file)], used.index(file))
            for name, (file, column) in chosen.items()
        },
        columns=[levels[:, kept] for levels in values],
        sizes=np.array([[_size(scores[file], text) for text in texts] for file, texts in zip(used, strings)]),
    )


def _usable(table: Table, columns: list[str], every_string: bool) -> dict[str, dict[str, int]]:
    """Class (or string, if each counts) → string → row, of the rows that have all of the columns."""
    fine = np.all([np.isfinite(table.column(name)) for name in columns], axis=0)
    keys = table.architectures if every_string else table.classes
    found: dict[str, dict[str, int]] = {}
    for row in np.flatnonzero(fine):
        found.setdefault(keys[row], {})[table.architectures[row]] = int(row)
    return found


def _scored(table: Table, column: str, strings: list[str], file: int) -> Scored:
    proxy = PROXIES.components.get(column)
    higher = proxy.higher_is_better if proxy is not None else None
    values = table.values(column, strings)
    return Scored(-values if higher is False else values, file, higher)


def _pick(name: str, strings: list[dict[str, int]], table: Table) -> list[str]:
    """Of one class and per file, the string whose scores are taken."""

    def preference(text: str) -> tuple[bool, bool, str]:
        return not table.has(text), text != name, text

    common = set(strings[0]).intersection(*strings[1:])
    return [min(common or known, key=preference) for known in strings]


def _of(table: Table, levels: np.ndarray, architectures: list[str]) -> np.ndarray:
    """(levels, architectures), NaN where the table has none."""
    rows = table.rows(architectures)
    padded = np.concatenate([levels, np.full((1, levels.shape[1]), np.nan)])  # row -1: not there
    return padded[rows].T


def _classes(table: Table, architectures: list[str]) -> list[str]:
    known = dict(zip(table.architectures, table.classes))
    return [known[text] for text in architectures]


def _size(table: Table, text: str) -> int:
    return table.space.cost(table.space.parse(text)).params


def _chosen(scores: Sequence[ArrayTable], proxies: Sequence[str]) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Name of each proxy → (file, its column there), and the proxies that have no value at all.

    A name that several files have is told apart by the file's: `FILE:NAME`. Asked for by its bare name it is all of
    them.
    """
    owners: dict[str, list[int]] = {}
    for file, table in enumerate(scores):
        for column in table.names():
            owners.setdefault(column, []).append(file)
    stems = [Path(table.source).stem for table in scores]
    labels = stems if len(set(stems)) == len(stems) else [table.source for table in scores]
    if len(set(labels)) < len(labels):
        raise InputError(f"Expected different score files but got {max(labels, key=labels.count)} more than once.")
    known = {
        (column if len(files) == 1 else f"{labels[file]}:{column}"): (file, column)
        for column, files in owners.items()
        for file in files
    }
    if not known:
        raise InputError(
            f"Expected columns of proxy scores but {', '.join(table.source for table in scores)} has none; "
            "`nas score --output FILE` writes such a file."
        )
    empty = [name for name, (file, column) in known.items() if not np.isfinite(scores[file].column(column)).any()]
    if not proxies:
        return {name: where for name, where in known.items() if name not in empty} or known, empty
    chosen = {}
    for proxy in proxies:
        matching = {name: where for name, where in known.items() if proxy in (name, where[1])}
        if not matching:
            raise InputError(
                f"Expected a proxy of the score files but got {proxy!r}{suggest(proxy, list(known))}; "
                f"there are {', '.join(known)}."
            )
        chosen.update(matching)
    return chosen, []
