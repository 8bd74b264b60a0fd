"""A network that wants normalised images, made to take images in [0, 1] as the networks here do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

LIBRARY, NONE = WAYS = ("library", "none")  # of `eval.normalise`
SETTINGS = "settings"


class Normalized(nn.Module):
    """`network((x - mean) / std)`: x is (B, 3, H, W) in [0, 1], mean and std are per channel.

    Normalised in float32, or better where x is; the network gets its images in the type of x.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(((x - self.mean) / self.std).to(x.dtype))


@dataclass(frozen=True)
class Normalisation:
    """What stands between images in [0, 1] and a network from elsewhere; `by` says whose constants those are.

    As it is asked for, `by` may be open (None, by default: the library's where there is one) or `library`; as it was
    used, it is the library's name, `settings` or `none`.
    """

    by: str | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def around(self, network: nn.Module) -> nn.Module:
        return Normalized(network, self.mean, self.std) if self.mean else network

    def to_json(self) -> dict[str, Any]:
        return {"by": self.by, "mean": list(self.mean) or None, "std": list(self.std) or None}
