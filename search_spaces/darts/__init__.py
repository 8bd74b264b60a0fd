"""DARTS: a normal and a reduction cell of four nodes with two inputs each, seven operations and `none`.

Source: Liu, Simonyan and Yang, ICLR 2019 (arXiv:1806.09055).
"""

from nas.search_spaces.darts.genotype import Genotype
from nas.search_spaces.darts.space import DARTS

__all__ = ["DARTS", "Genotype"]
