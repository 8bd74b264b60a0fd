"""The macro space of TransNAS-Bench-101: points, networks, features."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

import numpy as np

from nas.search_spaces.base import Cost, SearchSpace
from nas.search_spaces.network import RGB, Network
from nas.search_spaces.transnas.layers import TransNASSettings, doubles, halves
from nas.search_spaces.transnas.macro import DEPTHS, NAMES, Layers, changed, every_network, parse_layers
from nas.search_spaces.transnas.macro_network import ResidualBlock, macro_cost
from nas.search_spaces.transnas.network import TransNASBody

MOST = max(DEPTHS)


class TransNASMacro(SearchSpace[Layers]):
    """Four to six layers of residual blocks (Duan et al., CVPR 2021, arXiv:2105.11871)."""

    name: ClassVar[str] = "transnas-macro"
    references: ClassVar[tuple[str, ...]] = ("duan2021transnas",)
    Settings: ClassVar[type] = TransNASSettings
    ScoringSettings: ClassVar[type] = TransNASSettings

    def parse(self, text: str) -> Layers:
        return parse_layers(text)

    def sample(self, rng: Random) -> Layers:
        return rng.choice(every_network())

    def mutate(self, arch: Layers, rng: Random) -> Layers:
        return rng.choice(self.neighbors(arch))

    def neighbors(self, arch: Layers) -> list[Layers]:
        """All layers with another digit, a layer more or a layer less."""
        return list(changed(arch))

    def canonical(self, arch: Layers) -> Layers:
        """The architecture itself: different digits are different networks."""
        return arch

    def connected(self, arch: Layers, **settings: Any) -> bool:
        """Always: every block is residual."""
        return True

    def __iter__(self) -> Iterator[Layers]:
        return iter(every_network())

    def __len__(self) -> int:
        return len(every_network())

    def largest(self) -> Layers:
        """The layers that double come first, so that most are wide; of the largest, the one with the most MACs."""
        return Layers((2, 2, 2, 3, 3, 3))

    def build(  # type: ignore[override]
        self,
        arch: Layers,
        num_classes: int = 10,
        *,
        channels: int = 64,
        blocks_per_layer: int = 2,
        mean: RGB = (0.0, 0.0, 0.0),
        std: RGB = (1.0, 1.0, 1.0),
    ) -> Network:
        TransNASSettings(channels, blocks_per_layer).check()
        return Network(TransNASBody(arch.digits, ResidualBlock, num_classes, channels, blocks_per_layer), mean, std)

    def cost(  # type: ignore[override]
        self,
        arch: Layers,
        num_classes: int = 10,
        *,
        channels: int = 64,
        blocks_per_layer: int = 2,
        image_size: int = 32,
    ) -> Cost:
        TransNASSettings(channels, blocks_per_layer).check()
        return macro_cost(arch.digits, num_classes, channels, blocks_per_layer, image_size)

    def features(self, arch: Layers) -> np.ndarray:
        """The digit of each layer as one-hot, and the widths and strides that they make (float32)."""
        return np.fromiter(_features(arch).values(), dtype=np.float32)

    def feature_names(self) -> list[str]:
        return list(_features(self.largest()))

    def edges(self, arch: Layers) -> dict[str, list[tuple[str, str, str]]]:
        nodes = ["in", *map(str, range(1, len(arch.digits))), "out"]
        return {"layers": [(a, b, NAMES[digit]) for a, b, digit in zip(nodes, nodes[1:], arch.digits)]}


def _features(layers: Layers) -> dict[str, float]:
    """The output's side of a layer is counted in halvings, its channels in doublings."""
    features: dict[str, float] = {"layers": float(len(layers.digits))}
    digits = layers.digits + (0,) * (MOST - len(layers.digits))
    for number, digit in enumerate(digits, start=1):
        features |= {f"layer {number} is {name}": float(digit == own) for own, name in NAMES.items()}
        before = layers.digits[:number]
        features[f"doublings up to layer {number}"] = float(sum(map(doubles, before)))
        features[f"halvings up to layer {number}"] = float(sum(map(halves, before)))
    features |= {f"layers {name}": float(layers.digits.count(own)) for own, name in NAMES.items()}
    return features
