"""Tables of any search space, in the layouts in which benchmarks publish them."""

from nas.tables.layouts.reading import SpaceTable, read_columns

__all__ = ["SpaceTable", "read_columns"]
