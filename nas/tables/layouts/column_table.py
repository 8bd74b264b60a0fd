"""A table whose columns are better in the direction that their names say."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nas.tables.base import ArrayTable
from nas.tables.layouts.quantities import Quantity, quantity


class ColumnTable(ArrayTable):
    """Columns of a file of one's own."""

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The direction and the unit of each column."""
        return {name: quantity(name, values) for name, values in self.columns.items()}

    def lacking(self) -> list[str]:
        """A line on architectures that have no value in a column, as a search or a ranking by it leaves them out."""
        lacking = {name: int((~np.isfinite(values)).sum()) for name, values in self.columns.items()}
        counts = ", ".join(f"{name} {count:,}" for name, count in lacking.items() if count)
        of = f"of {len(self.architectures):,} architectures"
        return [f"{self.source}: without a value, {of}: {counts}"] if counts else []

    def direction(self, name: str) -> bool | None:
        return self.quantities[name].higher_is_better if name in self.quantities else True
