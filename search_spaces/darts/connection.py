"""Whether the logits of a DARTS network depend on the image, through its two cells and the chain of cells."""

from __future__ import annotations

from nas.search_spaces.darts.genotype import NODES, Edges, Genotype, pair, reductions


def inputs_used(edges: Edges) -> frozenset[int]:
    """The inputs (0, 1 or both) on which a cell's output depends: those with a path to an intermediate node.

    All four nodes are part of the output, so a path to any of them is enough.
    """
    origins = {0: frozenset({0}), 1: frozenset({1})}  # node → the inputs that it depends on
    for node in NODES:
        sources = [source for operation, source in pair(edges, node) if operation != "none"]
        origins[node] = frozenset().union(*(origins[source] for source in sources))
    return frozenset().union(*(origins[node] for node in NODES))


def is_connected(genotype: Genotype, cells: int) -> bool:
    """Whether the last of `cells` cells depends on the image.

    Inputs 0 and 1 of cell k are the outputs of cells k-2 and k-1; the first cell gets both from the stem, which depends
    on the image. So the network can bypass a cell with constant output if the next cell uses its input 0. This is why
    the depth matters: if normal cells only use input 0, each depends on every second cell before it, and the depth
    decides whether a reduction cell of `none` is among these cells.
    """
    normal, reduce = inputs_used(genotype.normal), inputs_used(genotype.reduce)
    before = last = True  # whether the outputs of cells k-2 and k-1 depend on the image
    for layer in range(cells):
        used = reduce if layer in reductions(cells) else normal
        before, last = last, (0 in used and before) or (1 in used and last)
    return last
