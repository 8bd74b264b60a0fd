"""Parts of one's own, as a user writes them in a module: a search space, a proxy, an attack and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.data.formats.base import Loader, Raw, Source
from nas.core.errors import InputError
from nas.eval.attacks import Attack
from nas.search_spaces import Cost, Network, SearchSpace
from nas.search_spaces.base import conv_bn_cost
from nas.search_spaces.network import Body
from nas.strategies import Strategy
from nas.strategies.proxies.base import proxy
from nas.train.methods import Method

IMAGE_SIDE = 8


@dataclass(frozen=True, order=True)
class Widths:
    """An architecture: the widths of two layers."""

    first: int
    second: int

    def __str__(self) -> str:
        return f"{self.first}-{self.second}"


@dataclass
class WidthSettings:
    scale: int = 1  # of both widths


class TwoLayers(Body):
    """Two convolutions, then the mean of each channel."""

    def __init__(self, arch: Widths, num_classes: int, scale: int) -> None:
        super().__init__()
        first, second = arch.first * scale, arch.second * scale
        self.stem = nn.Sequential(nn.Conv2d(3, first, 3, padding=1, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.layer = nn.Sequential(nn.Conv2d(first, second, 3, padding=1, bias=False), nn.BatchNorm2d(second))
        self.classifier = nn.Linear(second, num_classes)

    def stages(self, x: Tensor) -> list[Tensor]:
        stem = self.stem(x)
        return [stem, self.layer(stem)]

    def pooled(self, last: Tensor) -> Tensor:
        return last.relu()


class TwoWidths(SearchSpace[Widths]):
    """Networks of two convolutions, each with 1 to 6 channels."""

    name = "two-widths"
    Settings: ClassVar[type] = WidthSettings
    ScoringSettings: ClassVar[type] = WidthSettings
    SupernetSettings: ClassVar[type] = WidthSettings

    def parse(self, text: str) -> Widths:
        try:
            first, second = map(int, text.split("-"))
        except ValueError as error:
            raise InputError(f"Expected two widths such as 2-3 but got {text!r}; correct it.") from error
        return Widths(first, second)

    def sample(self, rng: Random) -> Widths:
        return Widths(rng.randint(1, 6), rng.randint(1, 6))

    def mutate(self, arch: Widths, rng: Random) -> Widths:
        return rng.choice(self.neighbors(arch))

    def neighbors(self, arch: Widths) -> list[Widths]:
        others = [width for width in range(1, 7) if width != arch.first]
        return [Widths(width, arch.second) for width in others] + [
            Widths(arch.first, width) for width in range(1, 7) if width != arch.second
        ]

    def canonical(self, arch: Widths) -> Widths:
        return arch

    def connected(self, arch: Widths, **settings: Any) -> bool:
        return True

    def __iter__(self) -> Iterator[Widths]:
        return (Widths(first, second) for first in range(1, 7) for second in range(1, 7))

    def __len__(self) -> int:
        return 36

    def largest(self) -> Widths:
        return Widths(6, 6)

    def build(self, arch: Widths, num_classes: int = 10, scale: int = 1, **settings: Any) -> Network:
        return Network(TwoLayers(arch, num_classes, scale), **settings)

    def cost(self, arch: Widths, num_classes: int = 10, *, image_size: int = 32, **settings: Any) -> Cost:
        scale = settings.get("scale", 1)
        first, second = arch.first * scale, arch.second * scale
        layers = [conv_bn_cost(3, first, 3, image_size), conv_bn_cost(first, second, 3, image_size)]
        params = sum(layer.params for layer in layers) + (second + 1) * num_classes
        return Cost(params, sum(layer.macs for layer in layers) + second * num_classes)

    def features(self, arch: Widths) -> np.ndarray:
        return np.array([arch.first, arch.second], dtype=np.float32)

    def feature_names(self) -> list[str]:
        return ["first", "second"]

    def edges(self, arch: Widths) -> dict[str, list[tuple[str, str, str]]]:
        return {"network": [("image", "0", f"conv-{arch.first}"), ("0", "1", f"conv-{arch.second}")]}


@dataclass
class LogitOptions:
    batch_size: int = 16
    power: float = 1.0


@proxy("logit_spread", source="this test", options=LogitOptions, passes=0.5)
def logit_spread(probe: Any, options: LogitOptions) -> float:
    """The standard deviation of the logits of a batch."""
    with torch.no_grad():
        return float(probe.body(probe.images).std() ** options.power)


class Brighter(Attack):
    """Adds eps to each pixel."""

    name = "brighter"
    reads: ClassVar[frozenset[str] | None] = frozenset()
    needs_gradient = False

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        return (x + self.eps).clamp(0, 1)

    def passes(self) -> float:
        return 0.0


class First(Strategy[Any]):
    """Proposes the architectures of the space in their order."""

    name = "first"

    @dataclass
    class Options:
        start: int = 0

    def begin(self) -> None:
        self.next = self.options.start

    def ask(self, n: int) -> list[Any]:
        archs = list(self.space)  # type: ignore[call-overload]
        self.next += n
        return [archs[number % len(archs)] for number in range(self.next - n, self.next)]

    def tell(self, arch: Any, metrics: dict[str, float] | None) -> None:
        pass


class Stripes(Loader):
    """Images whose class is the brighter half."""

    name = "stripes"
    doc = "small images of two classes"
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def sources(self) -> list[Source]:
        return []

    def read(self) -> Raw:
        labels = np.arange(200, dtype=np.int64) % 2
        images = np.zeros((200, 3, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
        images[labels == 0, :, : IMAGE_SIDE // 2] = 200
        images[labels == 1, :, IMAGE_SIDE // 2 :] = 200
        return Raw(images, labels, 2)


class Faded(Method):
    """Standard training on images with less contrast."""

    name = "faded"
    label = "faded"
    adversarial = False
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        return 0.9 * x + 0.05
