"""Whether the logits of a network of two kinds of cells depend on the image, through the cells and their chain."""

from __future__ import annotations

from nas.search_spaces.twocells.cell import Cell, Cells, pair, reductions


def inputs_used(cell: Cell) -> frozenset[int]:
    """The inputs (0, 1 or both) on which a cell's output depends: those with a path to a concatenated node."""
    origins = {0: frozenset({0}), 1: frozenset({1})}  # node → the inputs that it depends on
    for node in cell.nodes:
        sources = [source for operation, source in pair(cell.edges, node) if operation != "none"]
        origins[node] = frozenset().union(*(origins[source] for source in sources))
    return frozenset().union(*(origins[node] for node in cell.concat))


def is_connected(cells: Cells, depth: int) -> bool:
    """Whether the last of `depth` cells depends on the image.

    Inputs 0 and 1 of cell k are the outputs of cells k-2 and k-1; the first cell gets both from the stem, which depends
    on the image. So the network can bypass a cell with constant output if the next cell uses its input 0. This is why
    the depth matters: if normal cells only use input 0, each depends on every second cell before it, and the depth
    decides whether a reduction cell of `none` is among these cells.
    """
    normal, reduce = (inputs_used(cell) for cell in cells)
    before = last = True  # whether the outputs of cells k-2 and k-1 depend on the image
    for layer in range(depth):
        used = reduce if layer in reductions(depth) else normal
        before, last = last, (0 in used and before) or (1 in used and last)
    return last
