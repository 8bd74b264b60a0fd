"""The cell spaces of NDS: points, canonical form, networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.nds import families, size_graph
from nas.search_spaces.nds.families import CIFAR_DEPTHS, WIDTHS
from nas.search_spaces.nds.notation import of_value, parse_point
from nas.search_spaces.nds.point import NDSPoint
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.search_spaces.twocells import nodes
from nas.search_spaces.twocells.cell import CELLS, Edges, canonical_edges, drawn_edges
from nas.search_spaces.twocells.connection import is_connected
from nas.search_spaces.twocells.cost import network_cost
from nas.search_spaces.twocells.family import Family, edge_changes
from nas.search_spaces.twocells.features import feature_names, features
from nas.search_spaces.twocells.network import TwoCellsBody

STEMS = ("cifar", "imagenet")


@dataclass
class NDSScoringSettings:
    """Size of the network that proxies score: by default the depth and width of the architecture."""

    channels: int | None = None  # C of the first cells instead of the architecture's width
    cells: int | None = None  # instead of the architecture's depth
    stem: str = "cifar"  # or "imagenet": reduces the image to an eighth of its size

    def check(self) -> None:
        for key, value, low in (("channels", self.channels, 2), ("cells", self.cells, 3)):
            if value is not None and not (isinstance(value, int) and low <= value <= 1024):
                raise InputError(
                    f"Expected {key} between {low} and 1024, or null for that of the architecture, but got {value!r}; "
                    "change it or leave it out."
                )
        if self.stem not in STEMS:
            raise InputError(
                f"Expected a stem but got {self.stem!r}{suggest(self.stem, list(STEMS))}; available: "
                f"{', '.join(STEMS)}."
            )


@dataclass
class NDSSettings(NDSScoringSettings):
    """Size of the network that is trained: by default the depth and width of the architecture."""

    auxiliary: bool = False  # a second classifier at 2/3 of the depth, for training; NDS has none


class NDSCells(SearchSpace[NDSPoint]):
    """What the five cell spaces of NDS share (Radosavovic et al., ICCV 2019, arXiv:1905.13214)."""

    family: ClassVar[Family]
    Settings: ClassVar[type] = NDSSettings
    ScoringSettings: ClassVar[type] = NDSScoringSettings

    def parse(self, text: str) -> NDSPoint:
        """Also reads a whole record of the published data, in the notation of JSON or Python."""
        return parse_point(text, self.family)

    def parse_json(self, value: Any) -> NDSPoint:
        point = of_value(value, self.family)
        return super().parse_json(value) if point is None else point

    def sample(self, rng: Random) -> NDSPoint:
        """Each operation, each input, then the width and the depth (of CIFAR) are drawn independently."""

        def cell() -> Edges:
            return tuple(
                (rng.choice(self.family.operations), rng.randrange(node)) for node in self.family.nodes for _ in (0, 1)
            )

        normal, reduce = cell(), cell()
        width, depth = rng.choice(WIDTHS), rng.choice(CIFAR_DEPTHS)
        return NDSPoint(self.family, normal, reduce, depth, width)

    def mutate(self, arch: NDSPoint, rng: Random) -> NDSPoint:
        """One of the edges, the depth or the width changes, each with the same chance.

        An edge gets another operation or, with the same chance, another input.
        """
        edges = 2 * self.family.count
        place = rng.randrange(2 * edges + 2)
        if place == 2 * edges:
            return replace(arch, depth=rng.choice([depth for depth in arch.depths if depth != arch.depth]))
        if place == 2 * edges + 1:
            return replace(arch, width=rng.choice([width for width in WIDTHS if width != arch.width]))
        cell, position = CELLS[place // edges], place % edges
        operations, inputs = edge_changes(getattr(arch, cell), position, self.family.operations, twice=True)
        return arch.with_edge(cell, position, rng.choice(inputs if rng.random() < 0.5 else operations))

    def neighbors(self, arch: NDSPoint) -> list[NDSPoint]:
        """Each edge with each other operation, then with each other input; then each other depth and width."""
        found = [
            arch.with_edge(cell, position, edge)
            for cell in CELLS
            for position in range(2 * self.family.count)
            for changes in edge_changes(getattr(arch, cell), position, self.family.operations, twice=True)
            for edge in changes
        ]
        found += [replace(arch, depth=depth) for depth in arch.depths if depth != arch.depth]
        return found + [replace(arch, width=width) for width in WIDTHS if width != arch.width]

    def canonical(self, arch: NDSPoint) -> NDSPoint:
        """The first in string order of all isomorphic points; they all have equally many weights."""
        return replace(arch, normal=canonical_edges(arch.normal), reduce=canonical_edges(arch.reduce))

    def connected(  # type: ignore[override]
        self,
        arch: NDSPoint,
        *,
        channels: int | None = None,
        cells: int | None = None,
        stem: str = "cifar",
        auxiliary: bool = False,
    ) -> bool:
        """Of the settings only the number of cells matters, because it decides where the reduction cells are."""
        NDSSettings(channels, cells, stem, auxiliary).check()
        return is_connected(arch.cells, arch.depth if cells is None else cells)

    def __iter__(self) -> Iterator[NDSPoint]:
        per_edge = [list(product(self.family.operations, range(node))) for node in self.family.nodes for _ in (0, 1)]
        count = len(per_edge)
        for edges in product(*per_edge, *per_edge):
            for depth, width in product(CIFAR_DEPTHS, WIDTHS):
                yield NDSPoint(self.family, edges[:count], edges[count:], depth, width)

    def __len__(self) -> int:
        """(∏ₙ (n·O)²)²·25 for the inner nodes n and O operations: the edges of a node are ordered, as in the records.

        The square root without 25 is the number of cells of table 1 of the paper, such as 242 billion for DARTS.
        """
        cell = prod((len(self.family.operations) * node) ** 2 for node in self.family.nodes)
        return cell**2 * len(CIFAR_DEPTHS) * len(WIDTHS)

    def largest(self) -> NDSPoint:
        """The largest operation on every edge from an input of its cell, so that all nodes are concatenated."""
        operations = self.family.operations
        name = "conv_7x1_1x7" if "conv_7x1_1x7" in operations else "sep_conv_5x5"
        edges: Edges = ((name, 0), (name, 1)) * self.family.count
        return NDSPoint(self.family, edges, edges, max(CIFAR_DEPTHS), max(WIDTHS))

    def build(  # type: ignore[override]
        self,
        arch: NDSPoint,
        num_classes: int = 10,
        *,
        channels: int | None = None,
        cells: int | None = None,
        stem: str = "cifar",
        auxiliary: bool = False,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        size = _size(arch, channels, cells, stem, auxiliary)
        return Network(TwoCellsBody(arch.cells, num_classes, *size, auxiliary, stem), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: NDSPoint,
        num_classes: int = 10,
        *,
        channels: int | None = None,
        cells: int | None = None,
        stem: str = "cifar",
        auxiliary: bool = False,
        image_size: int = 32,
    ) -> Cost:
        """With num_classes=1000 and stem="imagenet" the weights are those of the published records."""
        size = _size(arch, channels, cells, stem, auxiliary)
        return network_cost(arch.cells, num_classes, *size, auxiliary, stem, image_size)

    def features(self, arch: NDSPoint) -> np.ndarray:
        """Features of both cells without those of subsets of kinds, then the depth and the width."""
        of_cells = features(self.family, arch.normal, arch.reduce, subsets=False)
        return np.append(of_cells, np.array([arch.depth, arch.width], dtype=np.float32))

    def feature_names(self) -> list[str]:
        return [*feature_names(self.family, subsets=False), "depth", "width"]

    def edges(self, arch: NDSPoint) -> dict[str, list[tuple[str, str, str]]]:
        return drawn_edges(arch.cells)

    def graph_forms(self) -> Mapping[str, GraphForm]:
        """Of both cells, and of the size: a chain of the depth and the width."""
        return {**dict.fromkeys(CELLS, nodes.graph_form(self.family)), "size": size_graph.FORM}

    def to_graph(self, arch: NDSPoint) -> dict[str, NodeGraph]:
        form = nodes.graph_form(self.family)
        cells = {cell: nodes.to_graph(form, getattr(arch, cell)) for cell in CELLS}
        return {**cells, "size": size_graph.to_graph(arch.depth, arch.width)}

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> NDSPoint | None:
        form = nodes.graph_form(self.family)
        normal, reduce = (nodes.from_graph(form, graphs[cell]) for cell in CELLS)
        size = size_graph.from_graph(graphs["size"])
        if normal is None or reduce is None or size is None:
            return None
        return NDSPoint(self.family, normal, reduce, *size)


def _size(arch: NDSPoint, channels: int | None, cells: int | None, stem: str, auxiliary: bool) -> tuple[int, int]:
    """The channels and cells of the network. Raises InputError if a setting is impossible."""
    NDSSettings(channels, cells, stem, auxiliary).check()
    return arch.width if channels is None else channels, arch.depth if cells is None else cells


class NDSAmoeba(NDSCells):
    """Cells of AmoebaNet: 5 nodes, 8 operations, loose ends concatenated (NDS, arXiv:1905.13214)."""

    name: ClassVar[str] = "nds-amoeba"
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network", "real2019regularized")
    family: ClassVar[Family] = families.AMOEBA


class NDSDARTS(NDSCells):
    """Cells of DARTS: 4 nodes, 8 operations with `none`, any two inputs (NDS, arXiv:1905.13214)."""

    name: ClassVar[str] = "nds-darts"
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network", "liu2019darts")
    family: ClassVar[Family] = families.DARTS


class NDSENAS(NDSCells):
    """Cells of ENAS: 5 nodes, 5 operations, loose ends concatenated (NDS, arXiv:1905.13214)."""

    name: ClassVar[str] = "nds-enas"
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network", "pham2018efficient")
    family: ClassVar[Family] = families.ENAS


class NDSNASNet(NDSCells):
    """Cells of NASNet: 5 nodes, 13 operations, loose ends concatenated (NDS, arXiv:1905.13214)."""

    name: ClassVar[str] = "nds-nasnet"
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network", "zoph2018learning")
    family: ClassVar[Family] = families.NASNET


class NDSPNAS(NDSCells):
    """Cells of PNAS: 5 nodes, 8 operations, all nodes concatenated (NDS, arXiv:1905.13214)."""

    name: ClassVar[str] = "nds-pnas"
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network", "liu2018progressive")
    family: ClassVar[Family] = families.PNAS
