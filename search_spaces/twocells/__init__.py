"""What spaces of a normal and a reduction cell share: DARTS, and the five cell spaces of NDS.

They differ in data: the operations, the number of nodes, and which nodes the output of a cell concatenates (`Family`).
"""

from nas.search_spaces.twocells.cell import Cell, Cells
from nas.search_spaces.twocells.family import Family

__all__ = ["Cell", "Cells", "Family"]
