"""A table whose columns are better in the direction that their names say."""

from __future__ import annotations

from functools import cached_property

from nas.tables.base import ArrayTable
from nas.tables.layouts.quantities import Quantity, quantity


class ColumnTable(ArrayTable):
    """Columns of a file of one's own."""

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The direction and the unit of each column."""
        return {name: quantity(name, values) for name, values in self.columns.items()}

    def higher_is_better(self, name: str) -> bool:
        return self.quantities[name].higher_is_better if name in self.quantities else True
