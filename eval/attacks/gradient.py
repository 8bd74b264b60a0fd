"""FGSM and PGD as torchattacks implements them."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from nas.eval.attacks.base import Attack


class FGSM(Attack):
    """One step of size eps (Goodfellow et al., ICLR 2015), from torchattacks."""

    name: ClassVar[str] = "fgsm"

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        return torchattacks.FGSM(network, eps=self.eps)(x, y)

    @classmethod
    def passes(cls, steps: int | None) -> float:
        return 1


class PGD(Attack):
    """Steps of `step_size` from a uniform random start (Madry et al., ICLR 2018), from torchattacks."""

    name: ClassVar[str] = "pgd"
    default_steps: ClassVar[int | None] = 20

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        attack = torchattacks.PGD(network, eps=self.eps, alpha=self.step_size, steps=self.steps, random_start=True)
        return attack(x, y)

    @classmethod
    def passes(cls, steps: int | None) -> float:
        return steps or cls.default_steps or 0
