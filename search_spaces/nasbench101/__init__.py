"""NASBench-101: one cell of at most seven nodes and nine edges, three operations, 423,624 classes of cells.

Source: Ying, Klein, Real, Christiansen, Murphy and Hutter, ICML 2019 (arXiv:1902.09635).
"""

from nas.search_spaces.nasbench101.cell import Cell
from nas.search_spaces.nasbench101.space import NASBench101

__all__ = ["Cell", "NASBench101"]
