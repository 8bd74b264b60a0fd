"""Normalisation in front of a foreign network, so that it takes images in [0, 1] like all networks here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nas.core.config import Section
from nas.core.errors import InputError
from nas.results import UsedNormalisation

LIBRARY, NONE = CHOICES = ("library", "none")  # of `eval.normalise`
SETTINGS = "settings"
CHANNELS = 3  # of every image


class Normalized(nn.Module):
    """`network((x - mean) / std)`: x is (B, 3, H, W) in [0, 1], mean and std are per channel.

    It computes in float32, or in the type of x if that is more exact; the network gets images in the type of x.
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
    """The normalisation of images in [0, 1] for a foreign network; `by` says whose constants are used.

    In a request, `by` is None (the default: the library's constants if there is a library), `library`, `settings` or
    `none`. In what `load_model` returns, it is the name of the library, `settings` or `none`.
    """

    by: str | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def around(self, network: nn.Module) -> nn.Module:
        return Normalized(network, self.mean, self.std) if self.mean else network

    def used(self) -> UsedNormalisation:
        """The normalisation in the form of a result."""
        return UsedNormalisation(self.by or NONE, list(self.mean) or None, list(self.std) or None)


@dataclass
class NetworkOptions(Section):
    """How a foreign network is made and which images it takes."""

    model_options: list[str] = field(default_factory=list)  # key=value, for the function that makes such a network
    normalise: str | None = None  # by the constants of its library, or none; default: library if there are constants
    mean: list[float] = field(default_factory=list)  # the user's constants for images in [0, 1]: 1, or 1 per channel
    std: list[float] = field(default_factory=list)  # divisor of each channel, after mean is subtracted

    def check(self) -> None:
        """Raises InputError if a value is impossible, or if two kinds of normalisation are asked for."""
        super().check()
        if self.normalise not in (None, *CHOICES):
            raise InputError(f"Expected eval.normalise={' or '.join(CHOICES)} but got {self.normalise!r}.")
        if not self.mean and not self.std:
            return
        if self.normalise is not None:
            raise InputError(
                f"Expected eval.normalise or eval.mean with eval.std but got both (eval.normalise={self.normalise}); "
                "leave one out."
            )
        if not {len(self.mean), len(self.std)} <= {1, CHANNELS}:
            raise InputError(
                f"Expected eval.mean with eval.std, each of {CHANNELS} numbers (or one for all channels), but got "
                f"{len(self.mean)} and {len(self.std)}; for example eval.mean=0.5,0.5,0.5 eval.std=0.5,0.5,0.5."
            )
        if not all(0 <= value <= 1 for value in self.mean) or not all(0 < value <= 1 for value in self.std):
            given = " and ".join(", ".join(f"{value:g}" for value in one) for one in (self.mean, self.std))
            raise InputError(
                f"Expected eval.mean in [0, 1] and eval.std in (0, 1], for images in [0, 1], but got {given}; divide "
                "constants for images in [0, 255] by 255."
            )

    @property
    def normalisation(self) -> Normalisation:
        """The normalisation that the settings ask for."""
        if self.mean:
            channels = max(len(self.mean), len(self.std))
            mean, std = ([*one * channels] if len(one) == 1 else one for one in (self.mean, self.std))
            return Normalisation(SETTINGS, tuple(mean), tuple(std))
        return Normalisation(self.normalise)
