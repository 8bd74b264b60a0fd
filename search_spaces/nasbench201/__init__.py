"""NAS-Bench-201: one cell of four nodes and six edges, five operations, 15,625 strings in 6,466 classes.

Source: Dong and Yang, ICLR 2020 (arXiv:2001.00326).
"""

from nas.search_spaces.nasbench201.cell import Cell
from nas.search_spaces.nasbench201.space import NASBench201

__all__ = ["Cell", "NASBench201"]
