"""The search space NAS-Bench-MR: networks of up to four parallel branches at different resolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.nasbench_mr import domain
from nas.search_spaces.nasbench_mr.configuration import Configuration
from nas.search_spaces.nasbench_mr.cost import network_cost
from nas.search_spaces.nasbench_mr.features import feature_names, features
from nas.search_spaces.nasbench_mr.network import NASBenchMRBody, fusion_inputs
from nas.search_spaces.nasbench_mr.notation import of_value, parse_configuration
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.widths import check_width_multiplier


@dataclass
class NASBenchMRSettings:
    """What surrounds the modules; the defaults are the benchmark's own."""

    stem_stride: int = 2  # of both convolutions of the stem; with 1, images of 32×32 pixels keep their resolution
    width_multiplier: float = 1.0  # all widths are multiplied by it, for networks that are cheaper to score

    def check(self) -> None:
        if self.stem_stride not in (1, 2):
            raise InputError(
                f"Expected stem_stride 1 or 2 but got {self.stem_stride}; the benchmark's own network has 2."
            )
        check_width_multiplier(self.width_multiplier)


class NASBenchMR(SearchSpace[Configuration]):
    """Networks of parallel branches with 27 numbers (Ding et al., ICLR 2022, arXiv:2103.13253)."""

    name: ClassVar[str] = "nasbench-mr"
    references: ClassVar[tuple[str, ...]] = ("ding2022learning",)
    Settings: ClassVar[type] = NASBenchMRSettings
    ScoringSettings: ClassVar[type] = NASBenchMRSettings
    cells: ClassVar[bool] = False

    def parse(self, text: str) -> Configuration:
        return parse_configuration(text)

    def parse_json(self, value: Any) -> Configuration:
        found = of_value(value)
        return super().parse_json(value) if found is None else found

    def sample(self, rng: Random) -> Configuration:
        return domain.sample(rng)

    def mutate(self, arch: Configuration, rng: Random) -> Configuration:
        """One of the 27 numbers, each with the same chance, gets another value."""
        return rng.choice(domain.changes(arch, rng.randrange(len(arch.embedding))))

    def neighbors(self, arch: Configuration) -> list[Configuration]:
        """Each number with each other value of the domain: 221 configurations."""
        return [changed for place in range(len(arch.embedding)) for changed in domain.changes(arch, place)]

    def canonical(self, arch: Configuration) -> Configuration:
        """The configuration itself: other numbers, other functions."""
        return arch

    def connected(self, arch: Configuration, **settings: Any) -> bool:
        """Always: the first branch leads from the stem to the classifier."""
        return True

    def __iter__(self) -> Iterator[Configuration]:
        return domain.every()

    def __len__(self) -> int:
        """8²·16¹¹·4¹⁴ ≈ 3·10²³."""
        return domain.count()

    def largest(self) -> Configuration:
        """The largest value of every number."""
        return domain.largest()

    def build(  # type: ignore[override]
        self,
        arch: Configuration,
        num_classes: int = 10,
        *,
        stem_stride: int = 2,
        width_multiplier: float = 1.0,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        NASBenchMRSettings(stem_stride, width_multiplier).check()
        return Network(NASBenchMRBody(arch, num_classes, stem_stride, width_multiplier), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: Configuration,
        num_classes: int = 10,
        *,
        stem_stride: int = 2,
        width_multiplier: float = 1.0,
        image_size: int = 32,
    ) -> Cost:
        NASBenchMRSettings(stem_stride, width_multiplier).check()
        return network_cost(arch, num_classes, stem_stride, width_multiplier, image_size)

    def features(self, arch: Configuration) -> np.ndarray:
        return features(arch)

    def feature_names(self) -> list[str]:
        return list(feature_names())

    def edges(self, arch: Configuration) -> dict[str, list[tuple[str, str, str]]]:
        """One graph for each number of branches: the fusion within its modules, then the blocks of each branch."""
        graphs: dict[str, list[tuple[str, str, str]]] = {}
        for count, part in enumerate(arch.parts(), start=1):
            edges = []
            for branch in range(count):
                for source, kernel, stride in fusion_inputs(branch, count):
                    how = "stride 2" if stride == 2 else "upsampled" if source > branch else ""
                    edges.append((f"in {source + 1}", f"sum {branch + 1}", f"conv {kernel}×{kernel} {how}".rstrip()))
                blocks = f"{part.blocks[branch]} × {part.widths[branch]} wide"
                edges.append((f"sum {branch + 1}", f"out {branch + 1}", blocks))
            modules = f"{part.modules} module{'s' * (part.modules > 1)}"
            graphs[f"{count} branch{'es' * (count > 1)}, {modules}"] = edges
        return graphs
