"""The network that every space builds: it takes images in [0, 1], normalises them itself and returns logits."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

RGB = tuple[float, float, float]


class Body(nn.Module, ABC):
    """A network without the normalisation of images. Subclasses define `stages`, `pooled` and `classifier`."""

    @abstractmethod
    def stages(self, x: Tensor) -> list[Tensor]:
        """The outputs of the stem and of each stage, in order; `head` takes the last one."""

    @abstractmethod
    def pooled(self, last: Tensor) -> Tensor:
        """The input of the global pooling, (B, C, H, W), from the output of the last stage."""

    classifier: nn.Linear  # from the pooled features to the logits

    def head(self, last: Tensor) -> Tensor:
        """Logits (B, classes) from the output of the last stage."""
        return self.classifier(self.pooled(last).mean((2, 3)))

    def features(self, x: Tensor) -> Tensor:
        """The input of the global pooling, (B, C, H, W)."""
        return self.pooled(self.stages(x)[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(x)[-1])


class Network(nn.Module):
    """`body((x - mean) / std)`: x is (B, 3, H, W) in [0, 1], the result is logits (B, classes).

    `body` is the un-normalised network, for proxies that feed noise, ones or perturbed normalised images.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: Body, mean: RGB = (0.0, 0.0, 0.0), std: RGB = (1.0, 1.0, 1.0)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.body = body

    def normalize(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def stages(self, x: Tensor) -> list[Tensor]:
        """The outputs of the stem and of each stage, in order, for images in [0, 1]."""
        return self.body.stages(self.normalize(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.normalize(x))

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The logits, and those of the auxiliary head; None if there is no such head or in eval mode."""
        with_auxiliary = getattr(self.body, "with_auxiliary", None)
        if with_auxiliary is None:
            return self(x), None
        return with_auxiliary(self.normalize(x))
