"""One network on fixed batches of images: which of them stand an attack. What is done is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from nas.core.images import check_unit_range
from nas.core.perturb import eval_mode
from nas.core.seeds import derive, seeded
from nas.eval.attacks import Attack
from nas.eval.layout import ChannelsLast

Flags = list[int]  # 1 where the image is classified rightly
Tick = Callable[[float, str], None]
OTHER_ORDER = 3  # a flag of a clean image: right if the classes were counted in their other order
OUTSIDE = 2  # a flag: classified rightly within the ball; what the attack found lies outside it


class Outcomes(Protocol):
    """Where finished parts are kept, so that a stopped evaluation continues."""

    def get(self, key: str) -> Any: ...

    def put(self, key: str, value: Any) -> None: ...


def told(said: Tensor, y: Tensor, elsewhere: Tensor | None = None) -> Flags:
    """A flag per image: 1 where what the network `said` is its label `y`, else OTHER_ORDER where it is the other."""
    right = (said == y).int()
    if elsewhere is not None:
        right[(said != y) & (said == elsewhere)] = OTHER_ORDER
    return right.tolist()


class Examined:
    """One network and its fixed batches; every (attack, stage, batch) is kept as soon as it is done."""

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        size: int,
        seed: int,
        device: torch.device,
        outcomes: Outcomes,
        prefix: str = "",
    ) -> None:
        check_unit_range(images)
        if not isinstance(network, ChannelsLast):
            network = ChannelsLast(network.to(device).to(memory_format=torch.channels_last).requires_grad_(False))
        self.network = network.eval()
        self.images = images.to(device).contiguous().split(size)
        self.labels = labels.to(device).split(size)
        self.batches = len(self.labels)
        self.seed = seed
        self.outcomes = outcomes
        self.prefix = prefix
        self.outside: dict[str, int] = {}  # by unbounded attack: images for which it found nothing within the ball
        self.providers: dict[str, str] = {}  # by attack: who made it, where that may change the numbers
        self.after: dict[tuple[str, str], int] = {}  # by attack and stage: how many images stand

    def first(self, count: int, prefix: str) -> Examined:
        """The same network on the first `count` images, in batches of the same size."""
        images, labels = torch.cat(self.images)[:count], torch.cat(self.labels)[:count]
        size, device = len(self.labels[0]), images.device
        return Examined(self.network, images, labels, size, self.seed, device, self.outcomes, prefix)

    def kept(self, key: str, compute: Callable[[], Any]) -> Any:
        """What is kept under `key`, computed where there is nothing yet."""
        found = self.outcomes.get(self.prefix + key)
        if found is None:
            found = compute()
            self.outcomes.put(self.prefix + key, found)
        return found

    def right(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.no_grad():
            return self.network(x).argmax(1) == y

    def clean(self, tick: Tick, other: Tensor | None = None) -> Flags:
        """Which images are right. With the label of each class in an `other` order, those right there are told too."""
        flags: Flags = []
        for batch, (x, y) in enumerate(zip(self.images, self.labels)):
            flags += self.kept(f"clean/{batch}", lambda x=x, y=y: self._clean(x, y, other))  # type: ignore[misc]
            tick(1, "clean")
        return flags

    def _clean(self, x: Tensor, y: Tensor, other: Tensor | None) -> Flags:
        with torch.no_grad():
            said = self.network(x).argmax(1)
        return told(said, y, None if other is None else other.to(y.device)[y])

    def robust(self, label: str, attack: Attack, given: Flags, tick: Tick) -> Flags:
        """Which of the images that are `given` (1) stand the attack; the others are not attacked."""
        flags: Flags = []
        counts = dict.fromkeys(attack.stages, 0)
        for batch in range(self.batches):
            left = given[len(flags) : len(flags) + len(self.labels[batch])]
            for stage in attack.stages:
                left = self.kept(
                    attack.kept_as(f"{label}/{stage}/{batch}", self.images[batch]),
                    lambda left=left, stage=stage, batch=batch: self._stage(label, attack, stage, batch, left),  # type: ignore[misc]
                )
                counts[stage] += sum(map(bool, left))
                tick(attack.passes() / len(attack.stages), label)
            flags += left
        self.after.update({(label, stage): count for stage, count in counts.items()})
        if (provider := attack.provider(self.images[0])) is not None:
            self.providers[label] = provider
        if not attack.bounded:
            self.outside[label] = flags.count(OUTSIDE)
        return [int(flag > 0) for flag in flags]

    def _stage(self, label: str, attack: Attack, stage: str, batch: int, left: Flags) -> Flags:
        """Attack what is left standing of a batch; returns what is standing afterwards."""
        standing = torch.tensor(left, dtype=torch.bool, device=self.labels[batch].device)
        if not any(left):
            return left
        x, y = self.images[batch][standing], self.labels[batch][standing]
        seed = derive(self.seed, self.prefix + label, stage, batch)
        with seeded(seed), eval_mode(self.network):  # torchattacks changes modes
            x_adv = attack.perturb(self.network, x, y, stage, seed).detach()
        inside = attack.admitted(x_adv, x)
        after = standing.int()
        after[standing] = torch.where(self.right(x_adv, y), 1, torch.where(inside, 0, OUTSIDE)).int()
        return after.tolist()
