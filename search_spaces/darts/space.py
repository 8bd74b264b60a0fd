"""The DARTS search space: points, canonical form, networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import comb
from random import Random
from typing import ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.darts.genotype import FAMILY, NODES, OPERATIONS, Genotype
from nas.search_spaces.darts.network import DARTSBody
from nas.search_spaces.darts.notation import parse_genotype
from nas.search_spaces.darts.published import official, published
from nas.search_spaces.darts.supernet import DARTSSupernet
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.node_graph import GraphForm, NodeGraph
from nas.search_spaces.twocells import nodes
from nas.search_spaces.twocells.cell import CELLS, Edges, canonical_edges, drawn_edges, pair
from nas.search_spaces.twocells.connection import is_connected
from nas.search_spaces.twocells.cost import network_cost
from nas.search_spaces.twocells.family import edge_changes
from nas.search_spaces.twocells.features import feature_names, features

CHOICES = OPERATIONS[1:]  # what a search may choose; cells with `none` can be read and built, but are not proposed
STEMS = ("cifar", "imagenet")
FORM = nodes.graph_form(FAMILY)


def _check(channels: int, cells: int, stem: str) -> None:
    for key, value, low in (("channels", channels, 2), ("cells", cells, 3)):
        if not low <= value <= 1024:
            raise InputError(
                f"Expected {key} between {low} and 1024 but got {value}; the published networks have "
                "channels=36 cells=20 (CIFAR) and channels=48 cells=14 (ImageNet)."
            )
    if stem not in STEMS:
        raise InputError(
            f"Expected a stem but got {stem!r}{suggest(stem, list(STEMS))}; available: {', '.join(STEMS)}."
        )


@dataclass
class DARTSSettings:
    """Size of the network that is trained, by default the paper's for CIFAR (for ImageNet: 48 channels, 14 cells)."""

    channels: int = 36  # C of the first cells; doubled at each reduction
    cells: int = 20  # cells in a row, two of which are reductions
    auxiliary: bool = False  # the second classifier at 2/3 of the depth, for training
    stem: str = "cifar"  # or "imagenet": reduces the image to an eighth of its size

    def check(self) -> None:
        _check(self.channels, self.cells, self.stem)


@dataclass
class DARTSScoringSettings:
    """Size of the smaller network that proxies score: that of the paper's search network, without auxiliary head."""

    channels: int = 16  # C of the first cells; doubled at each reduction
    cells: int = 8  # cells in a row, two of which are reductions
    stem: str = "cifar"  # or "imagenet"

    def check(self) -> None:
        _check(self.channels, self.cells, self.stem)


@dataclass
class DARTSSupernetSettings:
    """Size of the supernet, by default the paper's."""

    channels: int = 16  # C of the first cells; doubled at each reduction
    cells: int = 8  # cells in a row, two of which are reductions

    def check(self) -> None:
        _check(self.channels, self.cells, "cifar")


class DARTS(SearchSpace[Genotype]):
    """Two cells of 4 nodes, two inputs each, 7 operations (Liu et al., ICLR 2019, arXiv:1806.09055)."""

    name: ClassVar[str] = "darts"
    references: ClassVar[tuple[str, ...]] = ("liu2019darts",)
    Settings: ClassVar[type] = DARTSSettings
    ScoringSettings: ClassVar[type] = DARTSScoringSettings
    SupernetSettings: ClassVar[type] = DARTSSupernetSettings

    def parse(self, text: str) -> Genotype:
        """Also reads the name of a published genotype such as PC_DARTS, in any spelling: pc-darts, PCDARTS."""
        name = official(text)
        return parse_genotype(text) if name is None else published(name)

    def label(self, text: str, arch: Genotype) -> str:
        """The published name in its official spelling if `text` is such a name; else the field's string."""
        return official(text) or str(arch)

    def sample(self, rng: Random) -> Genotype:
        def cell() -> Edges:
            inputs = chain.from_iterable(sorted(rng.sample(range(node), 2)) for node in NODES)
            return tuple((rng.choice(CHOICES), source) for source in inputs)

        return Genotype(cell(), cell())

    def mutate(self, arch: Genotype, rng: Random) -> Genotype:
        """One of the 16 edges gets another operation or, with the same chance, another input.

        Node 2 has only the inputs 0 and 1, so its edges always change their operation.
        """
        cell, position = rng.choice(CELLS), rng.randrange(8)
        operations, inputs = edge_changes(getattr(arch, cell), position, CHOICES, twice=False)
        change_input = rng.random() < 0.5 and inputs
        return arch.replace(cell, position, rng.choice(inputs if change_input else operations))

    def neighbors(self, arch: Genotype) -> list[Genotype]:
        """Each edge with each other operation, then with each input that its node does not use: 120 genotypes."""
        return [
            arch.replace(cell, position, edge)
            for cell in CELLS
            for position in range(8)
            for edge in chain(*edge_changes(getattr(arch, cell), position, CHOICES, twice=False))
        ]

    def canonical(self, arch: Genotype) -> Genotype:
        """The first in string order of all isomorphic genotypes; they all have equally many weights."""
        return Genotype(canonical_edges(arch.normal), canonical_edges(arch.reduce))

    def connected(  # type: ignore[override]
        self, arch: Genotype, *, channels: int = 36, cells: int = 20, auxiliary: bool = False, stem: str = "cifar"
    ) -> bool:
        """Of the settings only the number of cells matters, because it decides where the reduction cells are."""
        _check(channels, cells, stem)
        return is_connected(arch.cells, cells)

    def __iter__(self) -> Iterator[Genotype]:
        per_node = [
            [
                ((first, a), (second, b))
                for a, b in combinations(range(node), 2)
                for first, second in product(CHOICES, repeat=2)
            ]
            for node in NODES
        ]
        for pairs in product(*per_node, *per_node):
            edges = tuple(chain.from_iterable(pairs))
            yield Genotype(edges[:8], edges[8:])

    def __len__(self) -> int:
        """(∏ₙ C(n, 2)·7²)² = (180·7⁸)² ≈ 10¹⁸ for nodes n = 2..5: no `none`, edges of a node unordered."""
        cell = 1
        for node in NODES:
            cell *= comb(node, 2) * len(CHOICES) ** 2
        return cell * cell

    def largest(self) -> Genotype:
        """Separable 5×5 convolutions everywhere; the inputs do not change the cost."""
        edges: Edges = (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)) * 4
        return Genotype(edges, edges)

    def build(  # type: ignore[override]
        self,
        arch: Genotype,
        num_classes: int = 10,
        *,
        channels: int = 36,
        cells: int = 20,
        auxiliary: bool = False,
        stem: str = "cifar",
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        _check(channels, cells, stem)
        return Network(DARTSBody(arch.cells, num_classes, channels, cells, auxiliary, stem), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: Genotype,
        num_classes: int = 10,
        *,
        channels: int = 36,
        cells: int = 20,
        auxiliary: bool = False,
        stem: str = "cifar",
        image_size: int = 32,
    ) -> Cost:
        _check(channels, cells, stem)
        return network_cost(arch.cells, num_classes, channels, cells, auxiliary, stem, image_size)

    def supernet(  # type: ignore[override]
        self,
        num_classes: int = 10,
        *,
        channels: int = 16,
        cells: int = 8,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
        partial: int = 1,
        edge_weights: bool = False,
    ) -> DARTSSupernet:
        DARTSSupernetSettings(channels, cells).check()
        return DARTSSupernet(num_classes, channels, cells, mean, std, partial, edge_weights)

    def features(self, arch: Genotype) -> np.ndarray:
        return features(FAMILY, arch.normal, arch.reduce, subsets=True)

    def feature_names(self) -> list[str]:
        return list(feature_names(FAMILY, subsets=True))

    def edges(self, arch: Genotype) -> dict[str, list[tuple[str, str, str]]]:
        return drawn_edges(arch.cells)

    def graph_forms(self) -> Mapping[str, GraphForm]:
        return dict.fromkeys(CELLS, FORM)

    def to_graph(self, arch: Genotype) -> dict[str, NodeGraph]:
        return {cell: nodes.to_graph(FORM, getattr(arch, cell)) for cell in CELLS}

    def from_graph(self, graphs: Mapping[str, NodeGraph]) -> Genotype | None:
        """None also for a cell that no search proposes: one with `none`, or a node that reads one input twice."""
        normal, reduce = (nodes.from_graph(FORM, graphs[cell]) for cell in CELLS)
        if normal is None or reduce is None or not (_proposed(normal) and _proposed(reduce)):
            return None
        return Genotype(normal, reduce)


def _proposed(edges: Edges) -> bool:
    """Whether a search may propose a cell with these edges."""
    pairs = [pair(edges, node) for node in NODES]
    return all(name in CHOICES for name, _ in edges) and all(one[1] != two[1] for one, two in pairs)
