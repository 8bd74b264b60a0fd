"""The depth and width of a point of NDS as a graph: a chain of input, depth, width and output."""

from __future__ import annotations

from nas.search_spaces.nds.families import WIDTHS
from nas.search_spaces.nds.point import DEPTHS
from nas.search_spaces.node_graph import INPUT, OUTPUT, NodeGraph, with_fixed_edges

_CHAIN = {(0, 1), (1, 2), (2, 3)}
_FIRST_DEPTH = INPUT + 1
_FIRST_WIDTH = _FIRST_DEPTH + len(DEPTHS)
FORM = with_fixed_edges(
    ("output", "input", *(f"depth {depth}" for depth in DEPTHS), *(f"width {width}" for width in WIDTHS)),
    4,
    {0: INPUT, 3: OUTPUT},
    _CHAIN,
)


def to_graph(depth: int, width: int) -> NodeGraph:
    """The graph of a size that NDS has."""
    return FORM.graph((INPUT, _FIRST_DEPTH + DEPTHS.index(depth), _FIRST_WIDTH + WIDTHS.index(width)), _CHAIN)


def from_graph(graph: NodeGraph) -> tuple[int, int] | None:
    """Depth and width; None if the graph is not of a size."""
    if not FORM.matches(graph):
        return None
    _, depth, width, _ = graph.types
    if not _FIRST_DEPTH <= depth < _FIRST_WIDTH <= width:
        return None
    return DEPTHS[depth - _FIRST_DEPTH], WIDTHS[width - _FIRST_WIDTH]
