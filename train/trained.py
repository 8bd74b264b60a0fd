"""A trained network and what is known of it: what a checkpoint holds and how it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nas.core import checkpoint
from nas.core.errors import InputError
from nas.search_spaces import SPACES, Network


def without_auxiliary(settings: dict[str, Any]) -> dict[str, Any]:
    """Network settings without the auxiliary head, which is there in training only and is not counted."""
    return {key: value for key, value in settings.items() if key != "auxiliary"}


@dataclass(frozen=True)
class TrainedNetwork:
    """Everything needed to build the network again, and how it was trained; plain values, as in the checkpoint."""

    name: str
    space: str
    arch: str
    settings: dict[str, Any]  # keyword arguments of the space's `build`
    num_classes: int
    image_size: int
    mean: list[float]
    std: list[float]
    data: dict[str, Any]  # `data` section of the configuration
    training: str  # the method: standard, pgd, ...
    eps: float  # of adversarial training; 0 for standard training

    def build(self) -> Network:
        """The network with fresh weights."""
        space = SPACES.get(self.space)()
        mean, std = (tuple(values) for values in (self.mean, self.std))
        return space.build(space.parse(self.arch), self.num_classes, mean=mean, std=std, **self.settings)

    @property
    def params(self) -> int:
        """Weights, as the field counts them: without an auxiliary head."""
        space = SPACES.get(self.space)()
        return space.cost(space.parse(self.arch), self.num_classes, **without_auxiliary(self.settings)).params

    def without_auxiliary(self, weights: dict[str, Tensor]) -> tuple[TrainedNetwork, dict[str, Tensor]]:
        """This network as it classifies, without the head that only training needs, and its own part of `weights`."""
        plain = replace(self, settings=without_auxiliary(self.settings))
        return plain, {name: weights[name] for name in plain.build().state_dict()}

    def export(self, weights: dict[str, Tensor]) -> dict[str, Any]:
        return {"format": 1, "network": asdict(self), "weights": weights}


def load_trained(path: Path) -> tuple[Network, TrainedNetwork]:
    """The network of a checkpoint in eval mode, and its description."""
    return assembled(checkpoint.load(path, "network"), f"a checkpoint of this version but {path}")


def assembled(payload: dict[str, Any], expected: str) -> tuple[Network, TrainedNetwork]:
    """The network that `payload` describes under "network", in eval mode with the tensors under "weights".

    `InputError` where they do not fit each other: "Expected `expected` does not fit (...)".
    """
    try:
        trained = TrainedNetwork(**payload["network"])
        network = trained.build()
        network.load_state_dict(payload["weights"])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"Expected {expected} does not fit ({reason}); train again or use the version that wrote it."
        ) from error
    return network.eval(), trained
