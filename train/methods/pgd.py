"""Adversarial training by projected gradient descent (PGD), and its one-step variant (FGSM)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nas.core.optimisation.attack_steps import Walk, uniform_noise
from nas.core.optimisation.shards import BatchShard
from nas.train.methods.base import Method, MethodOptions


class PGD(Method):
    """adversarial: PGD from a random start, train.steps steps of train.step_size

    min over w of E max over |x' - x|∞ ≤ eps of CE(m(x'), y); the attack sees the network in eval mode. Source: Madry et
    al., ICLR 2018 (arXiv:1706.06083).
    """

    name: ClassVar[str] = "pgd"
    references: ClassVar[tuple[str, ...]] = ("madry2018towards",)
    label: ClassVar[str] = "adversarial"
    reads: ClassVar[frozenset[str] | None] = frozenset({"eps", "step_size", "steps"})

    @classmethod
    def passes(cls, settings: MethodOptions) -> int:
        return settings.steps

    @classmethod
    def walk(cls, settings: MethodOptions) -> Walk:
        return settings.steps, settings.step_size

    def draw(self, x: Tensor, generator: torch.Generator, shard: BatchShard | None) -> Tensor:
        return uniform_noise(x, self.settings.eps, generator, shard=shard)

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        return self.attacked(self.cross_entropy(y), x, start, self.settings.step_size, self.settings.steps)


class FGSM(PGD):
    """adversarial: FGSM from a random start, one step of train.fgsm_alpha times eps

    "Fast" adversarial training; a step of 1.25 eps and projection on the ball avoid most catastrophic overfitting,
    which the robust validation accuracy under PGD would show. As in `PGD`, the attack sees the network in eval mode
    (the authors leave it in train mode). Source: Wong, Rice and Kolter, ICLR 2020 (arXiv:2001.03994), algorithm 3.
    """

    name: ClassVar[str] = "fgsm"
    references: ClassVar[tuple[str, ...]] = ("wong2020fast",)
    label: ClassVar[str] = "fast adversarial"
    reads: ClassVar[frozenset[str] | None] = frozenset({"eps", "fgsm_alpha"})

    @classmethod
    def passes(cls, settings: MethodOptions) -> int:
        return 1

    @classmethod
    def walk(cls, settings: MethodOptions) -> Walk:
        return 1, settings.fgsm_alpha * settings.eps

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        return self.attacked(self.cross_entropy(y), x, start, self.settings.fgsm_alpha * self.settings.eps, 1)
