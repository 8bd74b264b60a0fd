"""The micro space of TransNAS-Bench-101: points, canonical form, networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.nasbench201.cell import EDGES
from nas.search_spaces.nasbench201.connection import is_connected
from nas.search_spaces.nasbench201.features import four_node_features
from nas.search_spaces.nasbench201.nodes import from_graph, graph_form, to_graph
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.search_spaces.transnas.layers import TransNASSettings
from nas.search_spaces.transnas.micro import KINDS, OPERATIONS, MicroCell, every_cell, parse_micro, representatives
from nas.search_spaces.transnas.micro_cost import DIGITS, micro_cost
from nas.search_spaces.transnas.micro_network import MicroCellModule
from nas.search_spaces.transnas.network import TransNASBody

FORM = graph_form(OPERATIONS)


class TransNASMicro(SearchSpace[MicroCell]):
    """Cells of 6 edges with 4 operations each, in layers 41414 (Duan et al., CVPR 2021, arXiv:2105.11871)."""

    name: ClassVar[str] = "transnas-micro"
    references: ClassVar[tuple[str, ...]] = ("duan2021transnas",)
    Settings: ClassVar[type] = TransNASSettings
    ScoringSettings: ClassVar[type] = TransNASSettings

    def parse(self, text: str) -> MicroCell:
        return parse_micro(text)

    def sample(self, rng: Random) -> MicroCell:
        return MicroCell(tuple(rng.choice(OPERATIONS) for _ in EDGES))  # type: ignore[arg-type]

    def mutate(self, arch: MicroCell, rng: Random) -> MicroCell:
        edge = rng.randrange(len(EDGES))
        return arch.replace(edge, rng.choice([name for name in OPERATIONS if name != arch.operations[edge]]))

    def neighbors(self, arch: MicroCell) -> list[MicroCell]:
        return [
            arch.replace(edge, name)
            for edge in range(len(EDGES))
            for name in OPERATIONS
            if name != arch.operations[edge]
        ]

    def canonical(self, arch: MicroCell) -> MicroCell:
        """The isomorphic cell with the fewest weights, of several the first in string order.

        A skip from node 0 is an operation, for it has weights where the layer changes the shape; other skips are wires.
        """
        return representatives()[arch]

    def connected(self, arch: MicroCell, **settings: Any) -> bool:
        """Whether a path of operations other than `none` leads through the cell; 169 cells have none."""
        return is_connected(arch)

    def __iter__(self) -> Iterator[MicroCell]:
        return iter(every_cell())

    def __len__(self) -> int:
        return len(OPERATIONS) ** len(EDGES)

    def largest(self) -> MicroCell:
        return MicroCell(("nor_conv_3x3",) * 6)

    def build(  # type: ignore[override]
        self,
        arch: MicroCell,
        num_classes: int = 10,
        *,
        channels: int = 64,
        blocks_per_layer: int = 2,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        TransNASSettings(channels, blocks_per_layer).check()
        body = TransNASBody(DIGITS, lambda shape: MicroCellModule(arch, shape), num_classes, channels, blocks_per_layer)
        return Network(body, mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: MicroCell,
        num_classes: int = 10,
        *,
        channels: int = 64,
        blocks_per_layer: int = 2,
        image_size: int = 32,
    ) -> Cost:
        TransNASSettings(channels, blocks_per_layer).check()
        return micro_cost(arch, num_classes, channels, blocks_per_layer, image_size)

    def features(self, arch: MicroCell) -> np.ndarray:
        """Those of NAS-Bench-201; in the blocks that look at paths, a skip from node 0 is an operation, `shortcut`."""
        return np.fromiter(_features(arch).values(), dtype=np.float32)

    def feature_names(self) -> list[str]:
        return list(_feature_names())

    def edges(self, arch: MicroCell) -> dict[str, list[tuple[str, str, str]]]:
        labels = ("in", "1", "2", "out")
        named = zip(EDGES, arch.operations)
        return {"cell": [(labels[a], labels[b], name) for (a, b), name in named if name != "none"]}

    def graph_forms(self) -> Mapping[str, GraphForm]:
        return {"cell": FORM}

    def to_graph(self, arch: MicroCell) -> dict[str, NodeGraph]:
        return {"cell": to_graph(FORM, arch.operations)}

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> MicroCell | None:
        operations = from_graph(FORM, graphs["cell"])
        return None if operations is None else MicroCell(operations)  # type: ignore[arg-type]


def _features(cell: MicroCell) -> dict[str, float]:
    return four_node_features(cell, cell.arrows(), OPERATIONS, KINDS)


@cache
def _feature_names() -> list[str]:
    return list(_features(MicroCell(("none",) * 6)))
