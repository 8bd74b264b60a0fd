"""Whether the logits of a DARTS network depend on the image: which ways its two cells and their chain leave."""

from __future__ import annotations

from nas.search_spaces.darts.genotype import NODES, Edges, Genotype, pair, reductions


def inputs_used(edges: Edges) -> frozenset[int]:
    """Which of the cell's two inputs its output depends on: those with a way of operations to an intermediate node.

    All four nodes are in the output, so a way to any of them will do.
    """
    origins = {0: frozenset({0}), 1: frozenset({1})}  # node -> the inputs that it depends on
    for node in NODES:
        sources = [source for operation, source in pair(edges, node) if operation != "none"]
        origins[node] = frozenset().union(*(origins[source] for source in sources))
    return frozenset().union(*(origins[node] for node in NODES))


def is_connected(genotype: Genotype, cells: int) -> bool:
    """Whether the last of so many cells depends on the image.

    Cell k has the outputs of cells k-2 and k-1 as its inputs 0 and 1, the first one the stem's, which depend on the
    image. So a cell whose output is constant can be passed over, where the next one looks at its input 0. Hence the
    depth matters: a normal cell that uses its input 0 only reaches every second cell back, and whether a reduction
    cell of `none` is among these is a question of where the reductions are.
    """
    normal, reduce = inputs_used(genotype.normal), inputs_used(genotype.reduce)
    before = last = True  # whether the outputs of cells k-2 and k-1 depend on the image
    for layer in range(cells):
        used = reduce if layer in reductions(cells) else normal
        before, last = last, (0 in used and before) or (1 in used and last)
    return last
