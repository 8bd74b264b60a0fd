"""Whether the logits of a NAS-Bench-201 network depend on the image. All cells are equal, so one cell decides."""

from __future__ import annotations

from nas.search_spaces.nasbench201.cell import EDGES, Cell


def is_connected(cell: Cell) -> bool:
    """Whether operations other than `none` lead from node 0 to node 3."""
    reached = {0}
    for (source, target), operation in zip(EDGES, cell.operations):  # edges that lead to `source` come earlier
        if source in reached and operation != "none":
            reached.add(target)
    return 3 in reached
