"""A point of a cell space of NDS: two cells, and the depth and width of the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from nas.core.errors import InputError
from nas.search_spaces.nds.families import CIFAR_DEPTHS, IMAGENET_DEPTHS, WIDTHS
from nas.search_spaces.twocells.cell import Cell, Cells, Edge, Edges, with_edge
from nas.search_spaces.twocells.family import Family

DEPTHS = sorted(CIFAR_DEPTHS + IMAGENET_DEPTHS)


@dataclass(frozen=True)
class NDSPoint:
    """Edges of the normal and of the reduction cell, the number of cells, and the channels of the first cells.

    Its string is the `net` of a published record as JSON. Raises EdgeError, which is an InputError, if an edge is
    impossible, and InputError for a depth or width that NDS does not have.
    """

    family: Family
    normal: Edges
    reduce: Edges
    depth: int
    width: int

    def __post_init__(self) -> None:
        self.family.check_edges("normal", self.normal)
        self.family.check_edges("reduce", self.reduce)
        for key, value, known in (("depth", self.depth, DEPTHS), ("width", self.width, WIDTHS)):
            if type(value) is not int or value not in known:
                raise InputError(
                    f"Expected a {key} of {self.family.title} but got {value}; available: {', '.join(map(str, known))}."
                )

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        normal, reduce = map(list, self.concats)
        return (
            f'{{"aux": false, "depth": {self.depth}, "drop_prob": 0.0, "genotype": '
            f'{{"normal": {_json(self.normal)}, "normal_concat": {normal}, '
            f'"reduce": {_json(self.reduce)}, "reduce_concat": {reduce}}}, "width": {self.width}}}'
        )

    @property
    def cells(self) -> Cells:
        """The two cells with the nodes that they concatenate."""
        return Cells(*map(Cell, (self.normal, self.reduce), self.concats))

    @cached_property
    def concats(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The nodes that the output of each of the two cells concatenates."""
        return self.family.concat(self.normal), self.family.concat(self.reduce)

    @property
    def depths(self) -> tuple[int, ...]:
        """The depths among which a change of the depth chooses: those of CIFAR or, for a point of theirs, ImageNet."""
        return CIFAR_DEPTHS if self.depth in CIFAR_DEPTHS else IMAGENET_DEPTHS

    def with_edge(self, cell: str, position: int, edge: Edge) -> NDSPoint:
        """A copy in which `edge` is edge number `position` of `cell` ("normal" or "reduce")."""
        changed = with_edge(getattr(self, cell), position, edge)
        return replace(self, normal=changed) if cell == "normal" else replace(self, reduce=changed)


def _json(edges: Edges) -> str:
    """The edges as `json.dumps` writes them."""
    pairs = ", ".join([f'["{operation}", {source}]' for operation, source in edges])
    return f"[{pairs}]"
