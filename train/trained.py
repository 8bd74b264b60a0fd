"""A trained network and what is known of it: what a checkpoint holds and how it is read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_origin, get_type_hints

from torch import Tensor

from nas.core.errors import InputError, NasError
from nas.core.io import checkpoint
from nas.core.io.checkpoint import State
from nas.core.io.records import Json
from nas.core.io.states import difference
from nas.core.reasons import message_of
from nas.search_spaces import SPACES, BuildSettings, Network


def without_auxiliary(settings: BuildSettings) -> BuildSettings:
    """Network settings without the auxiliary head, which is there in training only and is not counted."""
    return {key: value for key, value in settings.items() if key != "auxiliary"}


@dataclass(frozen=True)
class TrainedNetwork:
    """Everything needed to build the network again, and how it was trained; plain values, as in the checkpoint."""

    name: str
    space: str
    arch: str
    settings: BuildSettings
    num_classes: int
    image_size: int
    mean: list[float]
    std: list[float]
    data: Json  # `data` section of the configuration
    training: str  # the method: standard, pgd, ...
    eps: float  # of adversarial training; 0 for standard training
    classes: list[str] = field(default_factory=list)  # their names in the order of the labels, where the data tell

    def check(self) -> None:
        """`TypeError` or `ValueError` where a value is not of its kind: a file may say anything."""
        for name, kind in get_type_hints(TrainedNetwork).items():
            value = getattr(self, name)
            wanted = (int, float) if kind is float else get_origin(kind) or kind
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise TypeError(f"{name} is {value!r:.80}")
        if not 1 <= self.num_classes <= 2**20 or not 1 <= self.image_size <= 2**16:
            raise ValueError(f"it says {self.num_classes} classes of images of {self.image_size} pixels")
        for name in ("mean", "std"):
            values = getattr(self, name)
            plain = all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
            if not plain or len(values) != 3:
                raise ValueError(f"{name} is {values!r:.80}")
        if not all(isinstance(name, str) for name in self.classes) or len(self.classes) not in (0, self.num_classes):
            raise ValueError(f"it says {self.num_classes} classes and names {len(self.classes)}")
        if not all(self.std) or not math.isfinite(self.eps):
            raise ValueError(f"std is {self.std} and eps {self.eps}")

    def build(self) -> Network:
        """The network with fresh weights."""
        space = SPACES.get(self.space)()
        mean, std = (tuple(values) for values in (self.mean, self.std))
        return space.build(space.parse(self.arch), self.num_classes, mean=mean, std=std, **self.settings)

    @property
    def params(self) -> int:
        """Weights, as the field counts them: without an auxiliary head."""
        space = SPACES.get(self.space)()
        settings = without_auxiliary(self.settings)
        return space.cost(space.parse(self.arch), self.num_classes, image_size=self.image_size, **settings).params

    def without_auxiliary(self, weights: dict[str, Tensor]) -> tuple[TrainedNetwork, dict[str, Tensor]]:
        """This network as it classifies, without the head that only training needs, and its own part of `weights`."""
        plain = replace(self, settings=without_auxiliary(self.settings))
        return plain, {name: weights[name] for name in plain.build().state_dict()}

    def export(self, weights: dict[str, Tensor]) -> State:
        return {"format": 1, "network": asdict(self), "weights": weights}


def load_trained(path: Path) -> tuple[Network, TrainedNetwork]:
    """The network of a checkpoint in eval mode, and its description."""
    return trained_of(checkpoint.load(path, "network"), path)


def trained_of(payload: State, path: Path) -> tuple[Network, TrainedNetwork]:
    """The same of the `payload` that was read from the checkpoint at `path`."""
    return assembled(payload, f"a checkpoint of this version but {path}")


def assembled(payload: State, expected: str) -> tuple[Network, TrainedNetwork]:
    """The network that `payload` describes under "network", in eval mode with the tensors under "weights".

    `InputError` where they do not fit each other: "Expected `expected` does not fit (...)".
    """
    try:
        trained = TrainedNetwork(**payload["network"])
        trained.check()
        weights = payload["weights"]
        there = sum(tensor.numel() for tensor in weights.values())
        if trained.params > there:  # or a small file could ask for a network of any size
            raise ValueError(f"its network has {trained.params:,} weights, of which {there:,} are there")
        network = trained.build()
        if (problem := difference(weights, network.state_dict())) is not None:
            raise ValueError(problem)
        network.load_state_dict(weights)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, OverflowError, NasError) as error:
        reason = message_of(error) or type(error).__name__
        raise InputError(
            f"Expected {expected} does not fit ({reason}); train again or use the version that wrote it."
        ) from error
    return network.eval(), trained
