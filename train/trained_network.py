"""The description of a trained network, which a checkpoint holds with the weights, and how it is read again."""

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
    """Network settings without the auxiliary head, which only training needs and which is not counted."""
    return {key: value for key, value in settings.items() if key != "auxiliary"}


@dataclass(frozen=True)
class TrainedNetwork:
    """All that is needed to build a network again, and how it was trained: plain values, as in the checkpoint."""

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
    classes: list[str] = field(default_factory=list)  # names in the order of the labels, if the data set has them

    def check(self) -> None:
        """Raises TypeError or ValueError if a value is impossible, because a file may contain anything."""
        for name, kind in get_type_hints(TrainedNetwork).items():
            value = getattr(self, name)
            wanted = (int, float) if kind is float else get_origin(kind) or kind
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise TypeError(f"{name} is {value!r:.80}")
        if not 1 <= self.num_classes <= 2**20 or not 1 <= self.image_size <= 2**16:
            raise ValueError(f"num_classes is {self.num_classes} and image_size {self.image_size}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            finite = all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
            if not finite or len(values) != 3:
                raise ValueError(f"{name} is {values!r:.80}")
        if not all(isinstance(name, str) for name in self.classes) or len(self.classes) not in (0, self.num_classes):
            raise ValueError(f"num_classes is {self.num_classes} but there are {len(self.classes)} names of classes")
        if not all(self.std) or not math.isfinite(self.eps):
            raise ValueError(f"std is {self.std} and eps {self.eps}")

    def build(self) -> Network:
        """The network with new weights."""
        space = SPACES.get(self.space)()
        mean, std = (tuple(values) for values in (self.mean, self.std))
        return space.build(space.parse(self.arch), self.num_classes, mean=mean, std=std, **self.settings)

    @property
    def params(self) -> int:
        """The number of weights as publications count them: without an auxiliary head."""
        space = SPACES.get(self.space)()
        settings = without_auxiliary(self.settings)
        return space.cost(space.parse(self.arch), self.num_classes, image_size=self.image_size, **settings).params

    def without_auxiliary(self, weights: dict[str, Tensor]) -> tuple[TrainedNetwork, dict[str, Tensor]]:
        """This network without the auxiliary head, which only training needs, and those of `weights` that remain."""
        smaller = replace(self, settings=without_auxiliary(self.settings))
        return smaller, {name: weights[name] for name in smaller.build().state_dict()}

    def export(self, weights: dict[str, Tensor]) -> State:
        return {"format": 1, "network": asdict(self), "weights": weights}


def load_trained(path: Path) -> tuple[Network, TrainedNetwork]:
    """The network of a checkpoint in eval mode, and its description. Raises InputError if it cannot be read."""
    return network_from_payload(checkpoint.load(path, "network"), path)


def network_from_payload(payload: State, path: Path) -> tuple[Network, TrainedNetwork]:
    """Like `load_trained`, from the `payload` that was read from the checkpoint at `path`."""
    return load_described(payload, f"a checkpoint of this version but {path}")


def load_described(payload: State, expected: str) -> tuple[Network, TrainedNetwork]:
    """The network that `payload` describes under "network", in eval mode, with the tensors under "weights".

    Raises InputError "Expected {expected} does not fit …" if the two do not fit: `expected` also says what was read.
    """
    try:
        trained = TrainedNetwork(**payload["network"])
        trained.check()
        weights = payload["weights"]
        count = sum(tensor.numel() for tensor in weights.values())
        if trained.params > count:  # otherwise a small file could ask for a network of any size
            raise ValueError(f"its network has {trained.params:,} weights but the file has {count:,}")
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
