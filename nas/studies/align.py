"""Match the rows of score files and tables by architecture, and count the unusable rows by reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.strategies.proxies import PROXIES
from nas.tables import ArrayTable, Table

MIN_ARCHS = 3  # fewer cannot be ranked
REASONS = {  # why a row is left out -> in words
    "repeated": "repeat an architecture of their file",
    "failed": "have a proxy that failed",
    "not_common": "have no counterpart in another score file",
    "not_in_tables": "have no value in a table",
    "isomorphic": "are isomorphic to one that was taken",
}


@dataclass(frozen=True)
class ProxyValues:
    """The values of a proxy on the common architectures."""

    values: np.ndarray  # (n,)
    file: int  # the number of its file among the aligned ones
    higher_is_better: bool | None  # as the registry declares it; None for a proxy that it does not have

    @property
    def ranking(self) -> np.ndarray:
        """(n,): the values, negated if lower is better."""
        return -self.values if self.higher_is_better is False else self.values


@dataclass(frozen=True)
class Aligned:
    """The n architectures that all files and tables have in common, and the values of each file and table for them."""

    n: int
    classes: list[str]  # (n,) the class of each; they all differ, except with `every_string`
    rows: int  # rows of all files: n per file, and the dropped ones
    dropped: dict[str, int]  # by reason
    failed: dict[str, int]  # rows without a value, by proxy
    empty: list[str]  # proxies without any value, left out
    proxies: dict[str, ProxyValues]
    columns: list[np.ndarray]  # per column (levels, n)
    sizes: np.ndarray  # (files, n): number of weights of the architecture, as the file writes it
    published_sizes: bool  # whether they are those of a table, not of the space's own networks


def in_words(dropped: dict[str, int], failed: dict[str, int]) -> str:
    """What was dropped and why; empty where nothing was."""
    parts = [f"{count:,} {REASONS[reason]}" for reason, count in dropped.items() if count]
    failing = [f"{name} {count:,}" for name, count in failed.items() if count]
    return ", ".join(parts) + (f" (failed: {', '.join(failing)})" if failing else "")


def align(
    scores: Sequence[ArrayTable],
    proxies: Sequence[str],
    columns: Sequence[tuple[Table, np.ndarray]],
    every_string: bool = False,
    weights: Table | None = None,
) -> Aligned:
    """The architectures that have a score of every proxy and a value in every column.

    Each of `columns` is a table and the values of one of its columns, (rows, levels). `weights` is a table whose column
    `params` has the sizes of the trained networks; where it lacks one, sizes are those of the space's own networks.

    One architecture stands for each class of isomorphic cells. If a file has several members of a class, these are
    preferred, in this order: a member that all files have, one with a row of its own in the first table, the
    representative of the class. With `every_string`, each string counts as an architecture of its own. If `proxies` is
    empty, every proxy of the files is used.

    Raises InputError if a proxy is unknown, a file is given twice, or fewer than `MIN_ARCHS` architectures are left.
    """
    chosen, empty = _chosen_proxies(scores, proxies)
    used = list(dict.fromkeys(file for file, _ in chosen.values()))
    files = [scores[file] for file in used]
    failed = {name: int((~np.isfinite(scores[file].column(column))).sum()) for name, (file, column) in chosen.items()}
    usable = [_usable(scores[file], [c for f, c in chosen.values() if f == file], every_string) for file in used]
    common = [name for name in usable[0] if all(name in rows for rows in usable)]
    picked = [_pick(name, [rows[name] for rows in usable], columns[0][0]) for name in common]
    values = [_column_values(table, levels, [strings[0] for strings in picked]) for table, levels in columns]
    known = np.flatnonzero(np.all([np.isfinite(levels).all(axis=0) for levels in values], axis=0))
    strings = [[picked[at][file] for at in known] for file in range(len(files))]  # per file, those that were scored

    rows = sum(len(table.architectures) for table in files)
    repeated = sum(table.repeated for table in files)
    members = [sum(len(rows[name]) for rows in usable) for name in common]  # rows of each class, in all files
    complete = sum(len(of_class) for rows in usable for of_class in rows.values())
    known_members = sum(members[at] for at in known)
    dropped = {
        "repeated": repeated,
        "failed": rows - complete,
        "not_common": complete - sum(members),
        "not_in_tables": sum(members) - known_members,
        "isomorphic": known_members - len(files) * len(known),
    }
    if len(known) < MIN_ARCHS:
        why = in_words(dropped, failed)
        raise InputError(
            f"Expected at least {MIN_ARCHS} architectures that all score files and tables have but got {len(known)}: "
            f"of {rows + repeated:,} rows {why or 'none was dropped'}; leave out a file, proxy or column or score more."
        )
    sizes, published = _sizes(files, strings, weights)
    class_of = dict(zip(files[0].architectures, files[0].classes))
    return Aligned(
        n=len(known),
        classes=[class_of[text] for text in strings[0]],
        rows=rows + repeated,
        dropped=dropped,
        failed=failed,
        empty=empty,
        proxies={
            name: _values(files[used.index(file)], column, strings[used.index(file)], used.index(file))
            for name, (file, column) in chosen.items()
        },
        columns=[levels[:, known] for levels in values],
        sizes=sizes,
        published_sizes=published,
    )


def _usable(table: Table, columns: list[str], every_string: bool) -> dict[str, dict[str, int]]:
    """Class → string → row, of rows with a value in all columns. With `every_string`, a string is its own class."""
    complete = np.all([np.isfinite(table.column(name)) for name in columns], axis=0)
    keys = table.architectures if every_string else table.classes
    usable: dict[str, dict[str, int]] = {}
    for row in np.flatnonzero(complete):
        usable.setdefault(keys[row], {})[table.architectures[row]] = int(row)
    return usable


def _values(table: Table, column: str, strings: list[str], file: int) -> ProxyValues:
    proxy = PROXIES.components.get(column)
    return ProxyValues(table.values(column, strings), file, None if proxy is None else proxy.higher_is_better)


def _pick(name: str, strings: list[dict[str, int]], table: Table) -> list[str]:
    """For each file, the string of this class whose scores are taken."""

    def preference(text: str) -> tuple[bool, bool, str]:
        return not table.has(text), text != name, text

    common = set(strings[0]).intersection(*strings[1:])
    return [min(common or of_file, key=preference) for of_file in strings]


def _column_values(table: Table, levels: np.ndarray, architectures: list[str]) -> np.ndarray:
    """The values (levels, architectures) of a column; NaN where the table has none."""
    rows = table.rows(architectures)
    padded = np.concatenate([levels, np.full((1, levels.shape[1]), np.nan)])  # row -1: not in the table
    return padded[rows].T


def _sizes(files: Sequence[Table], strings: Sequence[list[str]], weights: Table | None) -> tuple[np.ndarray, bool]:
    """(files, n): the number of weights of each string, and whether they are those of the table."""
    if weights is not None:
        sizes = np.array([weights.values("params", texts) for texts in strings])
        if np.isfinite(sizes).all():
            return sizes, True
    return np.array([[_size(table, text) for text in texts] for table, texts in zip(files, strings)]), False


def _size(table: Table, text: str) -> int:
    return table.space.cost(table.space.parse(text)).params


def _chosen_proxies(
    scores: Sequence[ArrayTable], proxies: Sequence[str]
) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Name of each proxy → (file, its column there), and the proxies that have no value at all.

    A name that several files have becomes `FILE:NAME`. The bare name asks for all of them.
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
            f"Expected columns of proxy scores but there are none in {', '.join(table.source for table in scores)}; "
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
