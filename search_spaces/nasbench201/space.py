"""The NAS-Bench-201 search space: points, canonical form, networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.nasbench201.cell import EDGES, OPERATIONS, Cell
from nas.search_spaces.nasbench201.connection import is_connected
from nas.search_spaces.nasbench201.features import feature_names, features
from nas.search_spaces.nasbench201.network import NASBench201Body, network_cost
from nas.search_spaces.nasbench201.nodes import from_graph, graph_form, to_graph
from nas.search_spaces.nasbench201.notation import parse_cell
from nas.search_spaces.nasbench201.supernet import NASBench201Supernet
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph

FORM = graph_form(OPERATIONS)


@dataclass
class NASBench201Settings:
    """Size of the network around the cell; the defaults are the benchmark's own."""

    channels: int = 16  # C, at the first stage; doubled at each reduction
    cells_per_stage: int = 5  # N

    def check(self) -> None:
        for key in ("channels", "cells_per_stage"):
            if not 1 <= getattr(self, key) <= 1024:
                raise InputError(
                    f"Expected {key} between 1 and 1024 but got {getattr(self, key)}; the benchmark's own network "
                    "has channels=16 cells_per_stage=5."
                )


@dataclass
class NASBench201SupernetSettings(NASBench201Settings):
    """Size of the supernet, by default the benchmark's own, and the operations that may be chosen in it."""

    allow_none: bool = False  # whether an edge of the derived cell may be `none`; the rule of DARTS never chooses it


@cache
def _representatives() -> dict[str, Cell]:
    """Expression of each of the 6,466 classes → its cell with the fewest weights (of several, the first string).

    The weights are counted at the benchmark's own size (C=16, N=5).
    """
    best: dict[str, tuple[int, str, Cell]] = {}
    for cell in NASBench201():
        expression = cell.expression()
        candidate = (network_cost(cell, 10, 16, 5, 32).params, str(cell), cell)
        if expression not in best or candidate[:2] < best[expression][:2]:
            best[expression] = candidate
    return {expression: cell for expression, (_, _, cell) in best.items()}


@cache
def _canonical(cell: Cell) -> Cell:
    return _representatives()[cell.expression()]


class NASBench201(SearchSpace[Cell]):
    """Cells of 6 edges with 5 operations each (Dong and Yang, ICLR 2020, arXiv:2001.00326)."""

    name: ClassVar[str] = "nasbench201"
    references: ClassVar[tuple[str, ...]] = ("dong2020nasbench201",)
    Settings: ClassVar[type] = NASBench201Settings
    ScoringSettings: ClassVar[type] = NASBench201Settings
    SupernetSettings: ClassVar[type] = NASBench201SupernetSettings

    def parse(self, text: str) -> Cell:
        return parse_cell(text)

    def sample(self, rng: Random) -> Cell:
        return Cell(tuple(rng.choice(OPERATIONS) for _ in EDGES))  # type: ignore[arg-type]

    def mutate(self, arch: Cell, rng: Random) -> Cell:
        edge = rng.randrange(len(EDGES))
        others = [name for name in OPERATIONS if name != arch.operations[edge]]
        return arch.replace(edge, rng.choice(others))

    def neighbors(self, arch: Cell) -> list[Cell]:
        return [
            arch.replace(edge, name)
            for edge in range(len(EDGES))
            for name in OPERATIONS
            if name != arch.operations[edge]
        ]

    def canonical(self, arch: Cell) -> Cell:
        return _canonical(arch)

    def connected(self, arch: Cell, **settings: Any) -> bool:
        """The same at every size: all cells of the network are equal, and no path bypasses a cell."""
        return is_connected(arch)

    def __iter__(self) -> Iterator[Cell]:
        return (Cell(operations) for operations in product(OPERATIONS, repeat=6))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(OPERATIONS) ** len(EDGES)

    def largest(self) -> Cell:
        return Cell(("nor_conv_3x3",) * 6)

    def build(  # type: ignore[override]
        self,
        arch: Cell,
        num_classes: int = 10,
        *,
        channels: int = 16,
        cells_per_stage: int = 5,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        NASBench201Settings(channels, cells_per_stage).check()
        return Network(NASBench201Body(arch, num_classes, channels, cells_per_stage), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: Cell,
        num_classes: int = 10,
        *,
        channels: int = 16,
        cells_per_stage: int = 5,
        image_size: int = 32,
    ) -> Cost:
        NASBench201Settings(channels, cells_per_stage).check()
        return network_cost(arch, num_classes, channels, cells_per_stage, image_size)

    def supernet(  # type: ignore[override]
        self,
        num_classes: int = 10,
        *,
        channels: int = 16,
        cells_per_stage: int = 5,
        allow_none: bool = False,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        partial: int = 1,
        edge_weights: bool = False,
    ) -> NASBench201Supernet:
        NASBench201SupernetSettings(channels, cells_per_stage, allow_none).check()
        return NASBench201Supernet(num_classes, channels, cells_per_stage, allow_none, mean, std, partial, edge_weights)

    def features(self, arch: Cell) -> np.ndarray:
        return features(arch)

    def feature_names(self) -> list[str]:
        return list(feature_names())

    def edges(self, arch: Cell) -> dict[str, list[tuple[str, str, str]]]:
        labels = ("in", "1", "2", "out")
        return {
            "cell": [
                (labels[source], labels[target], name)
                for (source, target), name in zip(EDGES, arch.operations)
                if name != "none"
            ]
        }

    def graph_forms(self) -> Mapping[str, GraphForm]:
        return {"cell": FORM}

    def to_graph(self, arch: Cell) -> dict[str, NodeGraph]:
        return {"cell": to_graph(FORM, arch.operations)}

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> Cell | None:
        operations = from_graph(FORM, graphs["cell"])
        return None if operations is None else Cell(operations)  # type: ignore[arg-type]
