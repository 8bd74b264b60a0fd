"""Rank correlations of proxy scores with published accuracies, also partial ones given the networks' size.

All proxies and columns are compared on the same architectures: those that every score file has, for which no proxy
failed, and which the tables know. There is one of each class of isomorphic cells, since members share their accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nas.core.errors import InputError
from nas.core.io.files import csv_text
from nas.core.io.records import Record
from nas.core.statistics import ranks
from nas.core.statistics.intervals import percentile_interval
from nas.core.suggestions import suggest
from nas.studies.align import Aligned, align
from nas.tables import ArrayTable, Collection, HasCollection

SAME_AS_SIZE = 0.95  # a ranking counts as one by size if its |rho| with params is at least this
SIZE = "params"
NUMBERS = ("spearman", "low", "high", "kendall", "partial_given_params", "partial_low", "partial_high")


@dataclass(frozen=True)
class Correlation(Record):
    """Spearman's rho of scores with a column, with its interval, and Kendall's tau-b; None where undefined."""

    spearman: float | None
    low: float | None
    high: float | None
    kendall: float | None

    @property
    def contains_zero(self) -> bool:
        """Whether the interval of rho contains 0, so that there may be no correlation."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


@dataclass(frozen=True)
class ProxyCorrelation(Correlation):
    """The correlation of a proxy: also Spearman's rho given `params`, with its interval."""

    partial_given_params: float | None
    partial_low: float | None
    partial_high: float | None

    @property
    def explained_by_size(self) -> bool:
        """Whether the proxy ranks architectures, but not (or the other way round) those of equal size."""
        if self.low is None or self.high is None or self.partial_low is None or self.partial_high is None:
            return False
        return (self.low > 0 and self.partial_low <= 0) or (self.high < 0 and self.partial_high >= 0)


@dataclass(frozen=True)
class RhoDifference(Record):
    """The rho of one ranking minus that of another on the same architectures, with a paired interval."""

    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Correlations(Record):
    """The result of `correlate`: `proxies` by proxy and column, `size` by column."""

    n: int
    every_string: bool
    rows: int
    dropped: dict[str, int]
    failed: dict[str, int]
    columns: list[str]
    proxies: dict[str, dict[str, ProxyCorrelation]]
    size: dict[str, Correlation]
    rho_with_params: dict[str, float | None]
    turned: list[str]
    unknown_direction: list[str]
    differences: dict[str, dict[str, dict[str, RhoDifference]]]  # proxy minus other, by column
    warnings: list[str]
    size_column: str = ""  # of the tables, from which the sizes are; empty: of the space's own networks
    lower_columns: list[str] = field(default_factory=list)  # in which a negative rho is good

    def best_first(self, statistic: str = "spearman") -> list[str]:
        """The proxies by the mean of a statistic over columns, that of `lower_columns` with the other sign."""

        def total(name: str) -> float:
            values = {column: getattr(cell, statistic) or 0.0 for column, cell in self.proxies[name].items()}
            return sum(-value if column in self.lower_columns else value for column, value in values.items())

        return sorted(self.proxies, key=total, reverse=True)


def correlate(
    scores: Sequence[ArrayTable],
    accuracies: HasCollection,
    columns: Sequence[str] = (),
    proxies: Sequence[str] = (),
    against: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
    every_string: bool = False,
) -> Correlations:
    """Spearman with its bootstrap interval, Kendall's tau-b, and Spearman given `params`, by proxy and column.

    For a column of several levels (a corruption or group: one per severity), correlations are averaged over levels. The
    resamples are the same everywhere, so `differences` (each proxy's rho minus that of those in `against`) are paired.
    Proxies for which lower is better are turned (negated): a positive rho is good. Columns are not turned: in those of
    `lower_columns`, such as errors, a negative rho is good. `params` is the number of weights of the network that was
    trained, where the tables have it for all architectures (a column `params`, as in the files of NDS), else that of
    the string that was scored, in the space's own network; `size` has the correlations of that number itself. With
    `every_string` isomorphic strings count one by one, and the bootstrap draws whole classes. Intervals are 95 %, not
    corrected for their number.

    `warnings` say where size explains a ranking: a proxy whose rho with `params` is at least .95 in absolute value; and
    a column for which the interval of a proxy's rho lies on one side of 0, and that of its partial rho given `params`
    does not lie on the same side (it contains 0, or the sign is another).

    Raises InputError if there are no columns, a proxy is unknown, or too few architectures are left.
    """
    accuracies = accuracies.collection
    names = accuracies.chosen(columns)
    if not names:
        raise InputError("Expected columns of accuracies but the tables have none; see --columns.")
    size_column = _size_column(accuracies, names)
    weights = accuracies.levels(size_column)[0] if size_column else None
    aligned = align(scores, proxies, [accuracies.levels(name) for name in names], every_string, weights)
    wrong = [name for name in against if name != SIZE and name not in aligned.proxies]
    if wrong:
        raise InputError(
            f"Expected {SIZE} or one of the proxies to compare with but got {wrong[0]!r}"
            f"{suggest(wrong[0], list(aligned.proxies))}; there are {', '.join(aligned.proxies)}."
        )
    rankings = _Rankings(aligned, names, resamples, seed)
    cells = {
        proxy: {name: ProxyCorrelation(*rankings.numbers(row, column)) for column, name in enumerate(names)}
        for row, proxy in enumerate(aligned.proxies)
    }
    size = len(aligned.proxies)
    return Correlations(
        n=aligned.n,
        every_string=every_string,
        rows=aligned.rows,
        dropped=aligned.dropped,
        failed=aligned.failed,
        columns=names,
        proxies=cells,
        size={name: Correlation(*rankings.numbers(size, column)[:4]) for column, name in enumerate(names)},
        rho_with_params=rankings.rho_with_params,
        turned=[name for name, one in aligned.proxies.items() if one.higher_is_better is False],
        unknown_direction=[name for name, one in aligned.proxies.items() if one.higher_is_better is None],
        differences={
            proxy: {other: rankings.differences(proxy, other) for other in against if other != proxy}
            for proxy in (aligned.proxies if against else ())
        },
        warnings=_warnings(aligned, rankings, cells),
        size_column=size_column if aligned.published_sizes else "",
        lower_columns=[name for name in names if accuracies.direction(name) is False],
    )


def _size_column(accuracies: Collection, names: Sequence[str]) -> str:
    """The sizes of the trained networks: the column `params` of the first table of `names` that has one; or empty."""
    tables = [accuracies.levels(name)[0] for name in names]
    sizes = [label for label in accuracies.labels if label.rpartition(":")[2] == SIZE]
    found = (label for table in tables for label in sizes if accuracies.levels(label)[0] is table)
    return next(found, "")


def table_rows(result: Correlations) -> str:
    """The result as CSV, one row per proxy and column; an empty cell if a correlation is undefined."""
    rows = [
        [proxy, column, result.n, *(getattr(cell, key) for key in NUMBERS)]
        for proxy, cells in result.proxies.items()
        for column, cell in cells.items()
    ]
    return csv_text([["proxy", "column", "n", *NUMBERS], *rows])


class _Rankings:
    """All correlations at once. Rows: proxies, then the sizes. Columns: all levels of all columns, then the sizes."""

    def __init__(self, aligned: Aligned, names: list[str], resamples: int, seed: int) -> None:
        self.names, self.proxies = names, list(aligned.proxies)
        self.columns = aligned.columns
        ends = np.cumsum([len(levels) for levels in self.columns])
        self.slices = [slice(end - len(levels), end) for end, levels in zip(ends, self.columns)]
        self.rows = np.concatenate([[one.ranking for one in aligned.proxies.values()], aligned.sizes])
        self.file = [one.file for one in aligned.proxies.values()] + list(range(len(aligned.sizes)))
        columns = np.concatenate([*self.columns, aligned.sizes])
        self.point = ranks.spearman_matrix(self.rows, columns)
        self.draws = ranks.bootstrap_spearman(self.rows, columns, resamples, seed, groups=aligned.classes)
        sizes = self.point[:, ends[-1] :]
        self.rho_with_params = {name: _number(sizes[row, self.file[row]]) for row, name in enumerate(self.proxies)}

    def numbers(self, row: int, column: int) -> list[float | None]:
        """The correlations of a row with a column, in the order of `NUMBERS`."""
        kendall = float(np.mean([ranks.kendall(self.rows[row], level) for level in self.columns[column]]))
        spearman, partial = (
            [measure(self.point, row, column), *percentile_interval(measure(self.draws, row, column))]
            for measure in (self._spearman, self._partial)
        )
        return list(map(_number, [*spearman, kendall, *partial]))

    def differences(self, proxy: str, other: str) -> dict[str, RhoDifference]:
        """Spearman's rho of a proxy minus that of another (or of size), by column."""
        row, other_row = (
            self.proxies.index(name) if name in self.proxies else len(self.proxies) for name in (proxy, other)
        )
        by_column = {}
        for column, name in enumerate(self.names):
            value, draws = (
                self._spearman(matrix, row, column) - self._spearman(matrix, other_row, column)
                for matrix in (self.point, self.draws)
            )
            by_column[name] = RhoDifference(*map(_number, (value, *percentile_interval(draws))))
        return by_column

    def _spearman(self, matrix: np.ndarray, row: int, column: int) -> np.ndarray:
        return matrix[..., row, self.slices[column]].mean(axis=-1)

    def _partial(self, matrix: np.ndarray, row: int, column: int) -> np.ndarray:
        size = len(self.proxies) + self.file[row]  # the row of the sizes in its file
        with_size = matrix[..., row, self.slices[-1].stop + self.file[row], None]
        with_column, of_size = (matrix[..., which, self.slices[column]] for which in (row, size))
        return ranks.partial(with_column, with_size, of_size).mean(axis=-1)


def _warnings(aligned: Aligned, rankings: _Rankings, cells: dict[str, dict[str, ProxyCorrelation]]) -> list[str]:
    warnings = [f"{name}: left out, as it has no value at all." for name in aligned.empty if name not in cells]
    for name, levels in zip(rankings.names, rankings.columns):
        if (np.ptp(levels, axis=1) == 0).any():
            warnings.append(f"{name}: the same for all {aligned.n:,} architectures, so no ranking is defined.")
    for name, one in aligned.proxies.items():
        if np.ptp(one.values) == 0:
            warnings.append(f"{name}: the same for all {aligned.n:,} architectures, so it ranks nothing.")
    for name, rho in rankings.rho_with_params.items():
        columns = [column for column, cell in cells[name].items() if cell.explained_by_size]
        if name == SIZE:
            continue
        if rho is not None and abs(rho) >= SAME_AS_SIZE:
            warnings.append(
                f"{name}: ranks nearly as size does (rho {rho:.3f} with params); its partial rho says what is left."
            )
        elif columns:
            warnings.append(
                f"{name}: may rank by nothing but size for {', '.join(columns)} (the uncorrected interval of its "
                f"partial rho given params contains 0 or has the other sign, on {aligned.n:,} architectures)."
            )
    return warnings


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
