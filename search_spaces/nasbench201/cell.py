"""A NAS-Bench-201 cell: its six operations, its string, and the expression that isomorphic cells share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # (from, to), in the order of the string


Kind = TypeVar("Kind", bound="Cell")


@dataclass(frozen=True)
class Cell:
    """One operation name per edge, in the order of `EDGES`. A node is the sum of its incoming edges."""

    operations: tuple[str, str, str, str, str, str]

    def __str__(self) -> str:
        a, b, c, d, e, f = self.operations
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"

    def replace(self: Kind, edge: int, operation: str) -> Kind:
        operations = list(self.operations)
        operations[edge] = operation
        return type(self)(tuple(operations))  # type: ignore[arg-type]

    def expression(self) -> str:
        """The function of the output node, written so that isomorphic cells have the same expression.

        A node is written as the sorted sum of its edges, a `skip_connect` as its input. An edge is written as `#` if it
        is `none` or comes from a node 1 that is always zero. These zeros stay in the sum, so cells that differ only
        in the number of zeros that a deeper node adds have different expressions. This gives the 6,466 classes of
        the robustness dataset (Jung et al., ICLR 2023) and of NAS-Bench-201's own `to_unique_str`.
        """
        nodes = ["0"]
        for node in (1, 2, 3):
            terms = []
            for (source, target), operation in zip(EDGES, self.operations):
                if target != node:
                    continue
                if operation == "none" or nodes[source] == "#":
                    terms.append("#")
                elif operation == "skip_connect":
                    terms.append(nodes[source])
                else:
                    terms.append(f"({nodes[source]})@{operation}")
            nodes.append("+".join(sorted(terms)))
        return nodes[3]
