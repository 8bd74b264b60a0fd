"""The NASBench-101 search space: points, canonical form, networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.nasbench101 import enumeration, nodes
from nas.search_spaces.nasbench101.cell import Cell
from nas.search_spaces.nasbench101.cost import network_cost
from nas.search_spaces.nasbench101.features import feature_names, features
from nas.search_spaces.nasbench101.isomorphism import benchmark_cell, graph_hash, representative
from nas.search_spaces.nasbench101.neighbors import with_a_node_changed, with_an_edge_changed, with_another_operation
from nas.search_spaces.nasbench101.network import NASBench101Body
from nas.search_spaces.nasbench101.notation import of_matrix, parse_cell
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph

MIN_CHANNELS = 4  # a cell divides its channels among up to four nodes
PROJECTION, ADDED = "projection", "concat"  # of edges in drawings; both are no operation of an inner node


@dataclass
class NASBench101Settings:
    """Size of the network around the cell; the defaults are the benchmark's own."""

    channels: int = 128  # C, of the stem and the first stack; doubled at each pooling
    cells_per_stack: int = 3  # cells between two poolings

    def check(self) -> None:
        for key, low in (("channels", MIN_CHANNELS), ("cells_per_stack", 1)):
            if not low <= getattr(self, key) <= 1024:
                raise InputError(
                    f"Expected {key} between {low} and 1024 but got {getattr(self, key)}; the benchmark's own network "
                    "has channels=128 cells_per_stack=3."
                )


@lru_cache(maxsize=1 << 16)
def _canonical(cell: Cell) -> Cell:
    return representative(cell)


class NASBench101(SearchSpace[Cell]):
    """Cells of at most 7 nodes and 9 edges with 3 operations (Ying et al., ICML 2019, arXiv:1902.09635)."""

    name: ClassVar[str] = "nasbench101"
    references: ClassVar[tuple[str, ...]] = ("ying2019nasbench101",)
    Settings: ClassVar[type] = NASBench101Settings
    ScoringSettings: ClassVar[type] = NASBench101Settings

    def parse(self, text: str) -> Cell:
        return parse_cell(text)

    def of_matrix(self, matrix: Any, operations: Sequence[str]) -> Cell:
        """The cell of an adjacency matrix (lists or an array) and its operations, with or without input and output.

        Nodes that are on no path from the input to the output are left out. Raises InputError if there is no such cell.
        """
        return of_matrix(matrix, operations)

    def hash(self, arch: Cell) -> str:
        """The benchmark's own hash of the cell: 32 hexadecimal digits, the same exactly for isomorphic cells."""
        return graph_hash(arch)

    def benchmark_cell(self, arch: Cell) -> Cell:
        """The isomorphic cell that the benchmark trained; it may have other weights than `arch`."""
        return benchmark_cell(arch)

    def sample(self, rng: Random) -> Cell:
        return enumeration.cell_at(rng.randrange(enumeration.count()))

    def mutate(self, arch: Cell, rng: Random) -> Cell:
        """Another operation, an edge or a node more or less, each kind with the same chance if it is possible."""
        kinds = rng.sample((with_another_operation, with_an_edge_changed, with_a_node_changed), 3)
        return rng.choice(next(changed for kind in kinds if (changed := list(kind(arch)))))

    def neighbors(self, arch: Cell) -> list[Cell]:
        """Every cell with another operation at one node, an edge more or less, or a node more or less.

        A node that comes or goes has one edge in and one edge out.
        """
        return list(chain(with_another_operation(arch), with_an_edge_changed(arch), with_a_node_changed(arch)))

    def canonical(self, arch: Cell) -> Cell:
        """The isomorphic cell with the fewest weights at the benchmark's size, of several the first in string order."""
        return _canonical(arch)

    def connected(self, arch: Cell, **settings: Any) -> bool:
        """Always: a cell has a path from its input to its output, and no operation passes nothing on."""
        return True

    def __iter__(self) -> Iterator[Cell]:
        return enumeration.every_cell()

    def __len__(self) -> int:
        return enumeration.count()

    def largest(self) -> Cell:
        """The cell with the most weights at the benchmark's size, 49,979,274."""
        return LARGEST

    def build(  # type: ignore[override]
        self,
        arch: Cell,
        num_classes: int = 10,
        *,
        channels: int = 128,
        cells_per_stack: int = 3,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        NASBench101Settings(channels, cells_per_stack).check()
        return Network(NASBench101Body(arch, num_classes, channels, cells_per_stack), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: Cell,
        num_classes: int = 10,
        *,
        channels: int = 128,
        cells_per_stack: int = 3,
        image_size: int = 32,
    ) -> Cost:
        NASBench101Settings(channels, cells_per_stack).check()
        return network_cost(arch, num_classes, channels, cells_per_stack, image_size)

    def features(self, arch: Cell) -> np.ndarray:
        return features(arch)

    def feature_names(self) -> list[str]:
        return list(feature_names())

    def edges(self, arch: Cell) -> dict[str, list[tuple[str, str, str]]]:
        """Each inner node as two: `+1` adds, `1` is the result of its operation. Edges from the input are projections.

        Other edges, which add or concatenate, are joins.
        """
        added = {node: f"+{node}" for node in range(1, arch.output)} | {arch.output: "out"}
        arrows = [
            ("in", added[target], PROJECTION) if source == 0 else (str(source), added[target], ADDED)
            for source, target in arch.edges
        ]
        return {"cell": arrows + [(added[v], str(v), name) for v, name in enumerate(arch.operations, start=1)]}

    def graph_forms(self) -> Mapping[str, GraphForm]:
        return {"cell": nodes.FORM}

    def to_graph(self, arch: Cell) -> dict[str, NodeGraph]:
        return {"cell": nodes.to_graph(arch)}

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> Cell | None:
        return nodes.from_graph(graphs["cell"])


LARGEST = parse_cell("111100100001000100101 " + " ".join(["conv3x3-bn-relu"] * 5))
