"""A DARTS genotype: the eight edges of each of its two cells."""

from __future__ import annotations

from dataclasses import dataclass

from nas.search_spaces.twocells.cell import Cells, Edge, Edges, with_edge
from nas.search_spaces.twocells.family import Family

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
FAMILY = Family("DARTS", OPERATIONS, count=4)
NODES = tuple(FAMILY.nodes)  # 2, 3, 4, 5; 0 and 1 are the cell's inputs, the output concatenates all 4


@dataclass(frozen=True)
class Genotype:
    """Edges of the normal and of the reduction cell; edges 2i and 2i+1 lead into node i+2.

    A node is the sum of its two edges, the cell's output the concatenation of nodes 2 to 5. Both edges of a node may
    come from the same input, though no search of DARTS proposes that. Raises EdgeError, which is an InputError, if an
    edge is impossible.
    """

    normal: Edges
    reduce: Edges

    def __post_init__(self) -> None:
        FAMILY.check_edges("normal", self.normal)
        FAMILY.check_edges("reduce", self.reduce)

    def __str__(self) -> str:
        concat = list(NODES)
        return (
            f"Genotype(normal={list(self.normal)}, normal_concat={concat}, "
            f"reduce={list(self.reduce)}, reduce_concat={concat})"
        )

    @property
    def cells(self) -> Cells:
        """The two cells with the nodes that they concatenate."""
        return Cells(FAMILY.cell(self.normal), FAMILY.cell(self.reduce))

    def replace(self, cell: str, position: int, edge: Edge) -> Genotype:
        """A copy in which `edge` is edge number `position` of `cell` ("normal" or "reduce")."""
        changed = with_edge(getattr(self, cell), position, edge)
        return Genotype(changed, self.reduce) if cell == "normal" else Genotype(self.normal, changed)
