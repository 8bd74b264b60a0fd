"""The residual search spaces of NDS: ResNet with basic blocks, and ResNeXt-A and -B with bottlenecks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.residual.architecture import ResidualArch
from nas.search_spaces.residual.cost import network_cost
from nas.search_spaces.residual.domain import RESNET, RESNEXT_A, RESNEXT_B, Domain
from nas.search_spaces.residual.features import feature_names, features
from nas.search_spaces.residual.network import ResidualBody
from nas.search_spaces.residual.notation import of_value, parse_network
from nas.search_spaces.widths import check_width_multiplier

STEMS = ("cifar", "imagenet")


@dataclass
class ResidualSettings:
    """What surrounds the stages; the defaults are the benchmark's network for CIFAR-10."""

    stem: str = "cifar"  # or "imagenet": reduces the image to a quarter (ResNet) or an eighth (ResNeXt) of its size
    width_multiplier: float = 1.0  # all widths are multiplied by it, for networks that are cheaper to score

    def check(self) -> None:
        if self.stem not in STEMS:
            raise InputError(
                f"Expected a stem but got {self.stem!r}{suggest(self.stem, list(STEMS))}; available: "
                f"{', '.join(STEMS)}."
            )
        check_width_multiplier(self.width_multiplier)


class ResidualSpace(SearchSpace[ResidualArch]):
    """What the three spaces share. They differ in their domain alone."""

    domain: ClassVar[Domain]
    references: ClassVar[tuple[str, ...]] = ("radosavovic2019network",)
    Settings: ClassVar[type] = ResidualSettings
    ScoringSettings: ClassVar[type] = ResidualSettings
    cells: ClassVar[bool] = False

    def parse(self, text: str) -> ResidualArch:
        return parse_network(text, self.domain, self.name)

    def parse_json(self, value: Any) -> ResidualArch:
        arch = of_value(value, self.domain)
        return super().parse_json(value) if arch is None else arch

    def sample(self, rng: Random) -> ResidualArch:
        return self.domain.sample(rng)

    def mutate(self, arch: ResidualArch, rng: Random) -> ResidualArch:
        """One entry of the lists, each with the same chance, gets another value of the domain."""
        entries = self.domain.entries(arch)
        while not (changes := self.domain.changes(arch, rng.choice(entries))):
            pass  # of a network that the space does not draw: no other value fits its other entries
        return rng.choice(changes)

    def neighbors(self, arch: ResidualArch) -> list[ResidualArch]:
        """Each entry of the lists with each other value of the domain: 82 of ResNet, 36 and 42 of ResNeXt-A and -B."""
        return [changed for entry in self.domain.entries(arch) for changed in self.domain.changes(arch, entry)]

    def canonical(self, arch: ResidualArch) -> ResidualArch:
        """The network itself: other entries, other functions.

        Only what the notation can say but no record does is replaced: entries of the stem that have no meaning, and
        ratios that give the inner width of a bottleneck by rounding.
        """
        bottlenecks = (
            tuple(round(width * ratio) / width for width, ratio in zip(arch.ws[1:], arch.bot_muls[1:], strict=True))
            if arch.bot_muls
            else ()
        )
        return ResidualArch(
            (1, *arch.ds[1:]),
            arch.ws,
            (self.domain.strides[0], *arch.ss[1:]),
            (1.0, *bottlenecks) if arch.bot_muls else (),
            arch.num_gs,
        )

    def connected(self, arch: ResidualArch, **settings: Any) -> bool:
        """Always: every block has a shortcut."""
        return True

    def __iter__(self) -> Iterator[ResidualArch]:
        return iter(self.domain)

    def __len__(self) -> int:
        return len(self.domain)

    def largest(self) -> ResidualArch:
        """The largest value of every entry, and convolutions without groups."""
        return self.domain.largest()

    def build(  # type: ignore[override]
        self,
        arch: ResidualArch,
        num_classes: int = 10,
        *,
        stem: str = "cifar",
        width_multiplier: float = 1.0,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        ResidualSettings(stem, width_multiplier).check()
        return Network(ResidualBody(arch, num_classes, stem, width_multiplier), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: ResidualArch,
        num_classes: int = 10,
        *,
        stem: str = "cifar",
        width_multiplier: float = 1.0,
        image_size: int = 32,
    ) -> Cost:
        ResidualSettings(stem, width_multiplier).check()
        return network_cost(arch, num_classes, stem, width_multiplier, image_size)

    def features(self, arch: ResidualArch) -> np.ndarray:
        return features(arch, self.domain)

    def feature_names(self) -> list[str]:
        return list(feature_names(self.domain))

    def edges(self, arch: ResidualArch) -> dict[str, list[tuple[str, str, str]]]:
        """The network as a chain of its stem and its stages; an edge names the blocks that lead to a stage's output."""
        places = ["image", "stem", *(str(number) for number in range(1, len(arch.ds)))]
        labels = [f"{arch.ws[0]} wide"]
        for stage in arch.stages():
            inner = "" if stage.bottleneck is None else f", {stage.bottleneck:g}, {stage.groups} groups"
            labels.append(f"{stage.blocks} × {stage.width} wide{inner}")
        return {"network": list(zip(places, places[1:], labels))}


class NDSResNet(ResidualSpace):
    """Four stages of basic residual blocks (Radosavovic et al., ICCV 2019, arXiv:1905.13214; He et al., CVPR 2016)."""

    name: ClassVar[str] = "nds-resnet"
    domain: ClassVar[Domain] = RESNET


class NDSResNeXtA(ResidualSpace):
    """Three stages of bottlenecks with groups (Radosavovic et al., ICCV 2019; Xie et al., CVPR 2017)."""

    name: ClassVar[str] = "nds-resnext-a"
    domain: ClassVar[Domain] = RESNEXT_A


class NDSResNeXtB(ResidualSpace):
    """ResNeXt-A with four times the widths and up to 16 groups (Radosavovic et al., ICCV 2019)."""

    name: ClassVar[str] = "nds-resnext-b"
    domain: ClassVar[Domain] = RESNEXT_B
