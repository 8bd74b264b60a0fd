"""Read a table of any search space from a file in one of the layouts in which benchmarks come."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.search_spaces import SearchSpace
from nas.tables.files import Origin, Rows, read_csv
from nas.tables.layouts.column_table import ColumnTable
from nas.tables.layouts.json_files import IGNORED, read_json
from nas.tables.layouts.official_files import check_readable
from nas.tables.layouts.used_rows import UsedRows
from nas.tables.repeated import log_once

CELL_PARTS = ("upper_triangle", "operations")  # the two columns that write a cell of NASBench-101


class SpaceTable(ColumnTable):
    """Columns of one file, of architectures of one search space. Several rows of an architecture are averaged.

    `rows_read` is the number of rows of the file; `dropped` are those that are not used, by the reason.
    """

    def __init__(
        self,
        path: Path,
        architectures: Sequence[str],
        columns: dict[str, np.ndarray],
        space: SearchSpace[Any],
        rows_read: int,
        dropped: dict[str, int],
        warnings: Sequence[str] = (),
    ) -> None:
        super().__init__(str(path), architectures, columns, space, mean=True, own=True)
        self.rows_read, self.dropped, self.warnings = rows_read, dropped, tuple(warnings)

    def is_fraction(self, name: str) -> bool:
        return self.unit(name) == "fraction"

    def unit(self, name: str) -> str:
        return self.quantities[name].unit if name in self.quantities else ""

    def remarks(self) -> list[str]:
        used = self.rows_read - sum(self.dropped.values())
        why = "; ".join(f"{count:,} dropped: {reason}" for reason, count in self.dropped.items())
        same = f"; {self.repeated:,} repeat an architecture and are averaged" if self.repeated else ""
        columns = "; ".join(f"{name}: {what}" for name, what in self.quantities.items())
        return [
            f"{self.source}: {used:,} of {self.rows_read:,} rows used{same}{f'; {why}' if why else ''}",
            f"columns: {columns}",
            *self.lacking(),
        ]


def read_columns(path: Path, space: SearchSpace[Any]) -> SpaceTable:
    """The columns of numbers of a file, by architecture of the space.

    A .json file has the layout of NDS (records with `net` and `test_ep_top1`), of NAS-Bench-MR (pairs [configuration,
    metric], or records that are configurations with further numbers), or rows with `arch`. Any other file is CSV with
    a column `arch` or `arch_str`, or with the columns `upper_triangle` and `operations` of NASBench-101. Rows that are
    no architecture of the space, and rows without any value, are dropped and counted.

    Raises InputError for a file that is missing or damaged, for official files that are not read, and if no row or no
    column is left.
    """
    origin = Origin(
        f"a table of {space.name}",
        "it is a CSV file with a column arch and columns of numbers, or JSON in the layout of NDS or NAS-Bench-MR",
    )
    check_readable(path, space.name, origin)
    if path.suffix.lower() == ".json":
        gathered, warnings = read_json(path, origin, space)
        used, columns = gathered.used, gathered.arrays()
    else:
        rows = read_csv(path, origin, IGNORED, CELL_PARTS)
        used, columns, warnings = _used(rows, space), rows.columns, []
    if not columns:
        raise origin.damaged(path, "no column holds numbers")
    if not used.architectures:
        why = used.why or "no value"
        raise origin.damaged(path, f"no row is an architecture of {space.name} with a value ({why})")
    columns = {name: values[used.numbers] for name, values in columns.items()}
    table = SpaceTable(path, used.architectures, columns, space, used.count, used.dropped(), warnings)
    for warning in warnings:
        log_once(f"{path}: {warning}")
    if table.dropped:
        log_once(table.remarks()[0])
    for line in table.lacking():
        log_once(line)
    return table


def _used(rows: Rows, space: SearchSpace[Any]) -> UsedRows:
    """The rows of a CSV file that are used."""
    used = UsedRows(space)
    valued = np.any([np.isfinite(values) for values in rows.columns.values()], axis=0) if rows.columns else ()
    for text, has_value in zip(rows.architectures, valued):
        used.add(text, bool(has_value))
    return used
