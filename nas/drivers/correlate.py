"""Rank correlations of proxy scores with published accuracies, and what is left of them given size.

All proxies and columns are compared on the same architectures, one of each class of isomorphic cells: those that every
score file has, for which no proxy failed, and which the tables know.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nas.core import statistics
from nas.core.errors import InputError
from nas.core.registry import suggest
from nas.drivers.common import Common, Scored, common_rows
from nas.tables import Table

DEFAULTS = (
    *("clean", "fgsm@1", "fgsm@2", "fgsm@4", "fgsm@8", "pgd@1", "apgd@1", "square@1"),
    *("corruptions", "weather", "noise", "blur", "digital"),
)
SAME = 0.95  # |rho| with params from which a ranking counts as that of size
SIZE = "params"
NUMBERS = ("spearman", "low", "high", "kendall", "partial_given_params", "partial_low", "partial_high")


@dataclass
class Accuracies:
    """Tables by the prefix of their columns; the robustness dataset's have none."""

    tables: dict[str, Table]
    labels: list[str] = field(default_factory=list)  # all that the tables list
    usual: list[str] = field(default_factory=list)  # the columns shown by default

    def __post_init__(self) -> None:
        for prefix, table in self.tables.items():
            names = table.names()
            self.labels += [prefix + name for name in names]
            usual = [name for name in DEFAULTS if name in names] if not prefix else names
            self.usual += [prefix + name for name in usual]
            if prefix and {"clean", "fgsm@8", "pgd@8"} <= set(names):
                self.usual += [f"{prefix}hrs:fgsm@8", f"{prefix}hrs:pgd@8"]

    def chosen(self, columns: Sequence[str]) -> list[str]:
        """The columns asked for (`all`, names, patterns such as fgsm@*), without repetition."""
        found: list[str] = [] if columns else list(self.usual)
        for column in columns:
            if column == "all":
                found += self.labels
            elif any(sign in column for sign in "*?["):
                matching = fnmatch.filter(self.labels, column)
                if not matching:
                    raise InputError(f"Expected columns like {column!r} but there are only {', '.join(self.labels)}.")
                found += matching
            else:
                found.append(column)
        return list(dict.fromkeys(found))

    def of(self, column: str) -> tuple[Table, str]:
        """The table of a column and its name there."""
        for prefix, table in self.tables.items():
            if prefix and column.startswith(prefix):
                return table, column.removeprefix(prefix)
        if "" not in self.tables:
            raise InputError(
                f"Expected a column of the given tables but got {column!r}{suggest(column, self.labels)}; "
                f"there are {', '.join(self.labels)}. Those of the robustness dataset need --robustness."
            )
        return self.tables[""], column


def correlate(
    scores: Sequence[Table],
    accuracies: Accuracies,
    columns: Sequence[str] = (),
    proxies: Sequence[str] = (),
    against: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Spearman with its bootstrap interval, Kendall's tau-b, and Spearman given `params`, by proxy and column.

    A column of several levels (a corruption or group: one per severity) has the mean of the correlations at each. The
    resamples are the same everywhere, so `differences` (each proxy's rho minus that of those in `against`) are paired.
    Proxies of which lower is better are turned: positive is good. `params` is the number of weights of the string
    that was scored.

    `warnings` name what size alone explains: a proxy whose rho with `params` is at least 0.95 in size; and a column
    where the interval of a proxy's rho lies on one side of 0 and that of its partial rho given `params` does not lie
    on the same side (it contains 0, or the sign has turned).
    """
    names = accuracies.chosen(columns)
    levels = {name: _levels(accuracies, name) for name in names}
    common = common_rows(scores, proxies, [(levels[name], accuracies.of(name)[0]) for name in names])
    wrong = [name for name in against if name != SIZE and name not in common.proxies]
    if wrong:
        raise InputError(
            f"Expected {SIZE} or a proxy of the score files to compare with but got {wrong[0]!r}"
            f"{suggest(wrong[0], list(common.proxies))}; there are {', '.join(common.proxies)}."
        )
    study = _Study(common, names, resamples, seed)
    cells = {
        proxy: {name: _cell(study, number, column) for column, name in enumerate(names)}
        for number, proxy in enumerate(common.proxies)
    }
    size = {name: _cell(study, len(common.proxies), column) for column, name in enumerate(names)}
    with_size = dict(zip(common.proxies, map(_number, study.with_size)))
    return {
        "n": common.n,
        "rows": common.rows,
        "dropped": common.dropped,
        "failed": common.failed,
        "columns": names,
        "proxies": cells,
        "size": {name: {key: cell[key] for key in NUMBERS[:4]} for name, cell in size.items()},
        "rho_with_params": with_size,
        "turned": [name for name, one in common.proxies.items() if one.higher_is_better is False],
        "unknown_direction": [name for name, one in common.proxies.items() if one.higher_is_better is None],
        "differences": {
            proxy: {other: _differences(study, proxy, other) for other in against if other != proxy}
            for proxy in (common.proxies if against else ())
        },
        "warnings": _warnings(common, study, cells, with_size),
    }


def table_rows(result: dict[str, Any]) -> str:
    """The cells of a result as CSV, one row per proxy and column; empty where a correlation is undefined."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["proxy", "column", "n", *NUMBERS])
    for proxy, cells in result["proxies"].items():
        for column, cell in cells.items():
            writer.writerow([proxy, column, result["n"], *(cell[key] for key in NUMBERS)])
    return file.getvalue()


def explained_by_size(cell: dict[str, Any]) -> bool:
    """Whether the proxy ranks, but not (or not in that direction) among architectures of equal size."""
    low, high, left, right = (cell[key] for key in ("low", "high", "partial_low", "partial_high"))
    if None in (low, high, left, right):
        return False
    return (low > 0 and left <= 0) or (high < 0 and right >= 0)


class _Study:
    """All correlations at once: of the proxies, then the sizes, with every level of every column, then the sizes."""

    def __init__(self, common: Common, names: list[str], resamples: int, seed: int) -> None:
        self.common, self.names = common, names
        self.proxies = np.array([one.values for one in common.proxies.values()])
        self.accuracies = [values.T for values in common.columns]  # per column (levels, n)
        sizes = np.array(common.sizes, dtype=np.float64)
        first = np.cumsum([0, *(len(values) for values in self.accuracies)])
        self.slices = [slice(int(a), int(b)) for a, b in zip(first, first[1:])]
        self.total = int(first[-1])
        self.rows = np.concatenate([self.proxies, sizes])
        self.which_size = [one.size for one in common.proxies.values()] + [0] * len(sizes)
        columns = np.concatenate([*self.accuracies, sizes])
        self.point = statistics.spearman_matrix(self.rows, columns)
        self.draws = statistics.bootstrap_spearman(self.rows, columns, resamples, seed)
        self.with_size = [float(self.point[row, self.total + z]) for row, z in enumerate(self.which_size)]

    def spearman(self, matrix: np.ndarray, row: int, column: int) -> np.ndarray:
        return matrix[..., row, self.slices[column]].mean(axis=-1)

    def partial(self, matrix: np.ndarray, row: int, column: int) -> np.ndarray:
        size, levels = self.which_size[row], self.slices[column]
        of_size = matrix[..., len(self.proxies) + size, levels]
        with_size = matrix[..., row, self.total + size, None]
        return statistics.partial(matrix[..., row, levels], with_size, of_size).mean(axis=-1)

    def kendall(self, row: int, column: int) -> float:
        return float(np.mean([statistics.kendall(self.rows[row], level) for level in self.accuracies[column]]))


def _cell(study: _Study, row: int, column: int) -> dict[str, float | None]:
    low, high = statistics.interval(study.spearman(study.draws, row, column))
    partial_low, partial_high = statistics.interval(study.partial(study.draws, row, column))
    values = (
        *(study.spearman(study.point, row, column), low, high, study.kendall(row, column)),
        *(study.partial(study.point, row, column), partial_low, partial_high),
    )
    return dict(zip(NUMBERS, map(_number, values)))


def _differences(study: _Study, proxy: str, other: str) -> dict[str, dict[str, float | None]]:
    known = list(study.common.proxies)
    rows = [known.index(proxy), known.index(other) if other in known else len(known)]
    found = {}
    for column, name in enumerate(study.names):
        low, high = statistics.interval(np.subtract(*(study.spearman(study.draws, row, column) for row in rows)))
        value = np.subtract(*(study.spearman(study.point, row, column) for row in rows))
        found[name] = {"difference": _number(value), "low": _number(low), "high": _number(high)}
    return found


def _warnings(
    common: Common, study: _Study, cells: dict[str, dict[str, Any]], with_size: dict[str, float | None]
) -> list[str]:
    found = []
    for name, values in zip(study.names, study.accuracies):
        if (np.ptp(values, axis=1) == 0).any():
            found.append(f"{name}: the same for all {common.n} architectures, so no ranking is defined.")
    for name, one in common.proxies.items():
        if np.ptp(one.values) == 0:
            found.append(f"{name}: the same for all {common.n} architectures, so it ranks nothing.")
    for name, rho in with_size.items():
        if rho is not None and abs(rho) >= SAME:
            found.append(f"{name}: its ranking is that of size alone (rho {rho:.3f} with params).")
            continue
        columns = [column for column, cell in cells[name].items() if explained_by_size(cell)]
        if columns:
            found.append(
                f"{name}: size alone explains its ranking for {', '.join(columns)} (given params nothing in that "
                "direction is shown)."
            )
    return found


def _levels(accuracies: Accuracies, column: str) -> np.ndarray:
    table, name = accuracies.of(column)
    return table.levels(name)


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


__all__ = ["Accuracies", "Path", "Scored", "correlate", "explained_by_size", "table_rows"]
