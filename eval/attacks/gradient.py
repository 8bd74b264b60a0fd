"""FGSM, PGD, MI-FGSM and CW as torchattacks implements them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.core.perturb import Walk
from nas.eval.attacks.base import NORMS, Attack


class FGSM(Attack):
    """One step of size eps (Goodfellow et al., ICLR 2015), from torchattacks."""

    name: ClassVar[str] = "fgsm"
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        return torchattacks.FGSM(network, eps=self.eps)(x, y)

    def passes(self) -> float:
        return 1


class PGD(Attack):
    """Steps of `step_size` from a random start (Madry et al., ICLR 2018), from torchattacks; a stage per restart."""

    name: ClassVar[str] = "pgd"
    reads: ClassVar[frozenset[str] | None] = frozenset({"step_size", "restarts"})
    norms: ClassVar[tuple[str, ...]] = NORMS
    default_steps: ClassVar[int | None] = 20

    @property
    def stages(self) -> tuple[str, ...]:
        return (self.name, *(f"{self.name}-{number}" for number in range(2, self.restarts + 1)))

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        kind = torchattacks.PGD if self.norm == "Linf" else torchattacks.PGDL2
        return kind(network, eps=self.eps, alpha=self.step_size, steps=self.steps, random_start=True)(x, y)

    def passes(self) -> float:
        return (self.steps or 0) * self.restarts

    def walk(self) -> Walk:
        return self.steps or 0, self.step_size


class MIFGSM(Attack):
    """Steps of eps/steps with momentum 1 (Dong et al., CVPR 2018), from torchattacks."""

    name: ClassVar[str] = "mifgsm"
    reads: ClassVar[frozenset[str] | None] = frozenset({"step_size"})
    default_steps: ClassVar[int | None] = 10

    def default_step_size(self) -> float:
        return self.eps / (self.steps or 1)

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        x_adv = torchattacks.MIFGSM(network, eps=self.eps, alpha=self.step_size, steps=self.steps)(x, y)
        return torch.where(x_adv.isnan(), x, x_adv)  # where a gradient is 0 the library divides 0 by 0

    def passes(self) -> float:
        return self.steps or 0

    def walk(self) -> Walk:
        return self.steps or 0, self.step_size


class CW(Attack):
    """The smallest perturbation at c=1 by Adam (Carlini and Wagner, S&P 2017), from torchattacks; counts within eps."""

    name: ClassVar[str] = "cw"
    reads: ClassVar[frozenset[str] | None] = frozenset()
    norms: ClassVar[tuple[str, ...]] = ("L2",)
    bounded: ClassVar[bool] = False
    default_steps: ClassVar[int | None] = 50

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        return torchattacks.CW(network, steps=self.steps)(x, y)

    def passes(self) -> float:
        return self.steps or 0
