"""Data sets: load one by name, split it in the same way everywhere, and return tensors."""

from nas.core.data.dataset import Dataset, Split, attacked, attacked_positions
from nas.core.data.given import GivenArrays
from nas.core.data.loading import LOADERS, load, loader_type, located, shape_of
from nas.core.data.settings import ALL, EARLIER_DATA_DEFAULTS, DataSettings

__all__ = [
    "ALL",
    "EARLIER_DATA_DEFAULTS",
    "LOADERS",
    "DataSettings",
    "Dataset",
    "GivenArrays",
    "Split",
    "attacked",
    "attacked_positions",
    "load",
    "loader_type",
    "located",
    "shape_of",
]
