"""Which images of fixed batches a network classifies correctly, clean and after an attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nas.core.errors import NasError
from nas.core.execution.out_of_memory import is_shortage
from nas.core.images import check_unit_range
from nas.core.logits import correct, finite
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.reasons import reason
from nas.core.seeds import derive, seeded
from nas.core.storage.base import FactStore
from nas.eval.attacks import Attack
from nas.eval.networks import layout
from nas.eval.non_finite import count_key, once_with_count, refusal, total
from nas.results import Count

Flags = list[int]  # of each image: 1 if it is classified correctly, else 0 or one of the values below
OUTSIDE = 2  # the image counts as correct, because the adversarial example that the attack found is outside the ball
OTHER_ORDER = 3  # the clean image is wrong, but would be correct if the classes were numbered in their other order
LAYOUT_KEY = "door"  # the layout in which the network takes its images is stored under this key
Tick = Callable[[float, str], None]  # called after each piece of work with its number of passes and its name


def flags_of(logits: Tensor, y: Tensor, other_labels: Tensor | None = None) -> Flags:
    """The flag of each image: 1 if its logits (B, classes) predict its label in `y`.

    The flag is OTHER_ORDER if they predict its label in `other_labels`, and 0 if a logit is NaN or infinite.
    """
    is_correct = correct(logits, y)
    flags = is_correct.int()
    if other_labels is not None:
        flags[~is_correct & correct(logits, other_labels)] = OTHER_ORDER
    return flags.tolist()


class AttackRunner:
    """Runs attacks on one network and fixed batches of images.

    The outcome of every attack, stage and batch is written to `outcomes` as soon as it is known, so that an evaluation
    that was stopped can continue from there.
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
        """`size`: the number of images in a batch; `prefix`: the beginning of all keys in `outcomes`."""
        check_unit_range(images)
        self.images = images.to(device).contiguous().split(size)
        self.labels = labels.to(device).split(size)
        self.batches = len(self.labels)
        self.seed = seed
        self.outcomes = outcomes
        self.prefix = prefix
        self.network = network if isinstance(network, layout.InputAdapter) else self._adapted(network.to(device))
        self.network.eval()
        self.outside: dict[str, int] = {}  # by unbounded attack: number of images with the flag OUTSIDE
        self.providers: dict[str, str] = {}  # by attack: the library that made it, if that may change the numbers
        self.non_finite: dict[str, Count] = {}  # by attack, and for "clean": number of images with a non-finite logit
        self.left_after: dict[tuple[str, str], int] = {}  # by attack and stage: number of images still correct

    def _adapted(self, network: nn.Module) -> layout.InputAdapter:
        """The network in the layout with which the run began; a new run stores the first layout that fits."""
        network = layout.in_eval_mode(network)
        layout.freeze(network)
        known = self.outcomes.get(self.prefix + LAYOUT_KEY)
        if known is None and self.outcomes.get(f"{self.prefix}clean/0") is not None:
            known = layout.OLD_LAYOUT
        if known is not None:
            return layout.with_layout(network, known)
        adapter = layout.adapt(network, self.images[0][:2])
        self.outcomes.put(self.prefix + LAYOUT_KEY, layout.layout_of(adapter))
        return adapter

    def first(self, count: int, prefix: str) -> AttackRunner:
        """The same network on the first `count` images, in batches of the same size."""
        size = len(self.labels[0])
        batches = -(-count // size)  # copy no other batch: all images together may fill the memory
        images, labels = torch.cat(self.images[:batches])[:count], torch.cat(self.labels[:batches])[:count]
        device = images.device
        return AttackRunner(self.network, images, labels, size, self.seed, device, self.outcomes, prefix)

    def once(self, key: str, compute: Callable[[], Any]) -> Any:
        """The outcome under `key`; if there is none, it is computed and stored."""
        outcome = self.outcomes.get(self.prefix + key)
        if outcome is None:
            outcome = compute()
            self.outcomes.put(self.prefix + key, outcome)
        return outcome

    def once_with_count(self, key: str, compute: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
        """Like `once`, for an outcome and its number of images that have a NaN or infinite logit."""
        return once_with_count(self.outcomes, self.prefix + key, compute)

    def classify(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Which images are classified correctly, and which have finite logits; both (B,)."""
        with torch.no_grad():
            logits = self.network(x)
        return correct(logits, y), finite(logits)

    def clean(self, tick: Tick, other_order: Tensor | None = None) -> Flags:
        """The flags of the clean images; `other_order` (classes,) has the label of each class in the other order.

        Raises `InputError` if an earlier version counted an image as correct whose logits are not finite.
        """
        flags: Flags = []
        counts = []
        for batch in range(self.batches):
            of_batch, count = self.once_with_count(
                f"clean/{batch}",
                lambda batch=batch: self._clean(batch, other_order),  # type: ignore[misc]
            )
            flags += of_batch
            counts.append(self._count_again(batch, of_batch) if count is None else count)
            tick(1, "clean")
        self.non_finite["clean"] = total("clean", counts)
        return flags

    def _clean(self, batch: int, other_order: Tensor | None) -> tuple[Flags, int]:
        y = self.labels[batch]
        with torch.no_grad():
            logits = self.network(self.images[batch])
        other_labels = None if other_order is None else other_order.to(y.device)[y]
        return flags_of(logits, y, other_labels), _non_finite(finite(logits))

    def _count_again(self, batch: int, flags: Flags) -> int:
        """The number of images with non-finite logits, which an earlier version did not store with its `flags`."""
        _, is_finite = self.classify(self.images[batch], self.labels[batch])
        wrongly = sum(flag == 1 and not fine for flag, fine in zip(flags, is_finite.tolist()))
        if wrongly:
            raise refusal(f"it counted {wrongly} clean images with such logits as correct")
        count = _non_finite(is_finite)
        self.outcomes.put(count_key(f"{self.prefix}clean/{batch}"), count)
        return count

    def robust(self, label: str, attack: Attack, before: Flags, tick: Tick) -> Flags:
        """The flag of each image after the attack: 1 if it is still correct, else 0.

        Only images that were correct `before` are attacked. Raises NasError if the attack's library is broken.
        """
        flags: Flags = []
        left_after = dict.fromkeys(attack.stages, 0)
        counts = []
        for batch in range(self.batches):
            left = before[len(flags) : len(flags) + len(self.labels[batch])]
            for stage in attack.stages:
                left, count = self.once_with_count(
                    attack.kept_as(f"{label}/{stage}/{batch}", self.images[batch]),
                    lambda left=left, stage=stage, batch=batch: self._stage(label, attack, stage, batch, left),  # type: ignore[misc]
                )
                counts.append(count)
                left_after[stage] += sum(map(bool, left))
                tick(attack.passes() / len(attack.stages), label)
            flags += left
        self.left_after.update({(label, stage): count for stage, count in left_after.items()})
        self.non_finite[label] = total(label, counts)
        if (provider := attack.provider(self.images[0])) is not None:
            self.providers[label] = provider
        if not attack.bounded:
            self.outside[label] = flags.count(OUTSIDE)
        return [int(flag > 0) for flag in flags]

    def _stage(self, label: str, attack: Attack, stage: str, batch: int, left: Flags) -> tuple[Flags, int]:
        """The flags of a batch after one stage, which attacks the images that are `left`.

        Also returns the number of images for which the attack made a logit NaN or infinite.
        """
        if not any(left):
            return left, 0
        attacked = torch.tensor(left, dtype=torch.bool, device=self.labels[batch].device)
        x, y = self.images[batch][attacked], self.labels[batch][attacked]
        seed = derive(self.seed, self.prefix + label, stage, batch)
        with seeded(seed), eval_mode(self.network):  # torchattacks changes the network's mode
            x_adv = self._perturbed(label, attack, x, y, stage, seed)
        inside = attack.admitted(x_adv, x)
        is_correct, is_finite = self.classify(x_adv, y)
        flags = attacked.int()
        flags[attacked] = torch.where(is_correct, 1, torch.where(inside, 0, OUTSIDE)).int()
        return flags.tolist(), _non_finite(is_finite | ~inside)

    def _perturbed(self, label: str, attack: Attack, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        """Raises NasError with the name of the attack for an exception of its own code or of the network."""
        try:
            return attack.perturb(self.network, x, y, stage, seed).detach()
        except Exception as error:  # foreign code may raise anything
            if isinstance(error, (NasError, OSError)) or is_shortage(error):
                raise  # it says nothing about the attack
            raise NasError(f"The attack {label} raised {reason(error)}.") from error


def _non_finite(is_finite: Tensor) -> int:
    return int((~is_finite).sum())
