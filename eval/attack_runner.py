"""One network on fixed batches of images: which of them stand an attack. What is done is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.images import check_unit_range
from nas.core.logits import correct, finite
from nas.core.optimisation.perturb import eval_mode
from nas.core.seeds import derive, seeded
from nas.core.storage.base import FactStore
from nas.eval.attacks import Attack
from nas.eval.networks import layout
from nas.eval.non_finite import count_key, once_with_count, refusal, total
from nas.results import Count

Flags = list[int]  # 1 where the image is classified rightly
Tick = Callable[[float, str], None]
LAYOUT_KEY = "door"  # under which it is kept how the network takes its images
OTHER_ORDER = 3  # a flag of a clean image: right if the classes were counted in their other order
OUTSIDE = 2  # a flag: classified rightly within the ball; what the attack found lies outside it


def flags_of(logits: Tensor, y: Tensor, elsewhere: Tensor | None = None) -> Flags:
    """A flag per image: 1 where its logits (B, classes) give its label `y`, else OTHER_ORDER where they give the other.

    A NaN or infinite logit gives none.
    """
    right = correct(logits, y)
    flags = right.int()
    if elsewhere is not None:
        flags[~right & correct(logits, elsewhere)] = OTHER_ORDER
    return flags.tolist()


class AttackRunner:
    """One network and its fixed batches.

    Every (attack, stage, batch) is kept in `outcomes` as soon as it is done, so that a stopped evaluation continues.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        size: int,
        seed: int,
        device: torch.device,
        outcomes: FactStore,
        prefix: str = "",
    ) -> None:
        check_unit_range(images)
        self.images = images.to(device).contiguous().split(size)
        self.labels = labels.to(device).split(size)
        self.batches = len(self.labels)
        self.seed = seed
        self.outcomes = outcomes
        self.prefix = prefix
        self.network = network if isinstance(network, layout.InputAdapter) else self._door(network.to(device))
        self.network.eval()
        self.outside: dict[str, int] = {}  # by unbounded attack: images for which it found nothing within the ball
        self.providers: dict[str, str] = {}  # by attack: who made it, where that may change the numbers
        self.non_finite: dict[str, Count] = {}  # "clean" and by attack: images with a NaN or infinite logit
        self.after: dict[tuple[str, str], int] = {}  # by attack and stage: how many images stand

    def _door(self, network: nn.Module) -> layout.InputAdapter:
        """What stands before the network: as the run began, or the first that fits and is kept for the whole run."""
        network = layout.in_eval_mode(network)
        layout.freeze(network)
        found = self.outcomes.get(self.prefix + LAYOUT_KEY)
        if found is None and self.outcomes.get(f"{self.prefix}clean/0") is not None:
            found = layout.OLD_LAYOUT
        if found is not None:
            return layout.with_layout(network, found)
        door = layout.adapt(network, self.images[0][:2])
        self.outcomes.put(self.prefix + LAYOUT_KEY, layout.layout_of(door))
        return door

    def first(self, count: int, prefix: str) -> AttackRunner:
        """The same network on the first `count` images, in batches of the same size."""
        size = len(self.labels[0])
        batches = -(-count // size)  # no more: all images together may fill the memory
        images, labels = torch.cat(self.images[:batches])[:count], torch.cat(self.labels[:batches])[:count]
        device = images.device
        return AttackRunner(self.network, images, labels, size, self.seed, device, self.outcomes, prefix)

    def kept(self, key: str, compute: Callable[[], Any]) -> Any:
        """What is kept under `key`, computed where there is nothing yet."""
        found = self.outcomes.get(self.prefix + key)
        if found is None:
            found = compute()
            self.outcomes.put(self.prefix + key, found)
        return found

    def counted(self, key: str, compute: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
        """As `kept`, of something with its count of images that have a NaN or infinite logit."""
        return once_with_count(self.outcomes, self.prefix + key, compute)

    def judged(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Which images are classified correctly, and which have finite logits; both (B,)."""
        with torch.no_grad():
            logits = self.network(x)
        return correct(logits, y), finite(logits)

    def clean(self, tick: Tick, other: Tensor | None = None) -> Flags:
        """Which images are classified correctly. With the label of each class in an `other` order, those right there
        are told too.

        `InputError` where an earlier version counted one as such whose logits are not finite.
        """
        flags: Flags = []
        counts = []
        for batch in range(self.batches):
            kept, count = self.counted(
                f"clean/{batch}",
                lambda batch=batch: self._clean(batch, other),  # type: ignore[misc]
            )
            flags += kept
            counts.append(self._recounted(batch, kept) if count is None else count)
            tick(1, "clean")
        self.non_finite["clean"] = total("clean", counts)
        return flags

    def _clean(self, batch: int, other: Tensor | None) -> tuple[Flags, int]:
        y = self.labels[batch]
        with torch.no_grad():
            logits = self.network(self.images[batch])
        return flags_of(logits, y, None if other is None else other.to(y.device)[y]), _missing(finite(logits))

    def _recounted(self, batch: int, flags: Flags) -> int:
        """The count that an earlier version did not keep with its `flags`."""
        _, answered = self.judged(self.images[batch], self.labels[batch])
        wrongly = sum(flag == 1 and not fine for flag, fine in zip(flags, answered.tolist()))
        if wrongly:
            raise refusal(f"it took {wrongly} clean images with such logits for correct")
        count = _missing(answered)
        self.outcomes.put(count_key(f"{self.prefix}clean/{batch}"), count)
        return count

    def robust(self, label: str, attack: Attack, given: Flags, tick: Tick) -> Flags:
        """Which of the images that are `given` (1) stand the attack; the others are not attacked."""
        flags: Flags = []
        counts = dict.fromkeys(attack.stages, 0)
        missing = []
        for batch in range(self.batches):
            left = given[len(flags) : len(flags) + len(self.labels[batch])]
            for stage in attack.stages:
                left, count = self.counted(
                    attack.kept_as(f"{label}/{stage}/{batch}", self.images[batch]),
                    lambda left=left, stage=stage, batch=batch: self._stage(label, attack, stage, batch, left),  # type: ignore[misc]
                )
                missing.append(count)
                counts[stage] += sum(map(bool, left))
                tick(attack.passes() / len(attack.stages), label)
            flags += left
        self.after.update({(label, stage): count for stage, count in counts.items()})
        self.non_finite[label] = total(label, missing)
        if (provider := attack.provider(self.images[0])) is not None:
            self.providers[label] = provider
        if not attack.bounded:
            self.outside[label] = flags.count(OUTSIDE)
        return [int(flag > 0) for flag in flags]

    def _stage(self, label: str, attack: Attack, stage: str, batch: int, left: Flags) -> tuple[Flags, int]:
        """Attack what is left standing of a batch; returns what is standing afterwards.

        The number is that of images that the attack moved to where a logit is not finite.
        """
        standing = torch.tensor(left, dtype=torch.bool, device=self.labels[batch].device)
        if not any(left):
            return left, 0
        x, y = self.images[batch][standing], self.labels[batch][standing]
        seed = derive(self.seed, self.prefix + label, stage, batch)
        with seeded(seed), eval_mode(self.network):  # torchattacks changes modes
            x_adv = attack.perturb(self.network, x, y, stage, seed).detach()
        inside = attack.admitted(x_adv, x)
        after = standing.int()
        right, answered = self.judged(x_adv, y)
        after[standing] = torch.where(right, 1, torch.where(inside, 0, OUTSIDE)).int()
        return after.tolist(), _missing(answered | ~inside)


def _missing(answered: Tensor) -> int:
    return int((~answered).sum())
