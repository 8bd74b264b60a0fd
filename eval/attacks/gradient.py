"""FGSM, PGD and MI-FGSM of torchattacks if it is installed, else the project's own; CW of torchattacks alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.optimisation import attack_steps
from nas.core.optimisation.attack_steps import Objective, Walk
from nas.eval.attacks import library
from nas.eval.attacks.base import NORMS, OWN, Attack


class GradientAttack(Attack):
    """An attack along gradients, by torchattacks if it is installed and by the project itself if not.

    On a CPU in float32 both give the same bits for the same seed.
    """

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        torchattacks = library.torchattacks()
        if torchattacks is not None:
            return self.library_attack(torchattacks, network)(x, y)
        return self.own_attack(lambda z: functional.cross_entropy(network(z), y), x.detach().clone())

    def provider(self, x: Tensor) -> str | None:
        if x.device.type == "cpu" and x.dtype == torch.float32:
            return None
        return OWN if library.torchattacks() is None else library.NAME

    @abstractmethod
    def library_attack(self, torchattacks: ModuleType, network: nn.Module) -> Any:
        """The library's attack on this network, to be called with images and labels."""

    @abstractmethod
    def own_attack(self, loss: Objective, x: Tensor) -> Tensor:
        """The perturbed images of the project's own attack, which raises the mean loss of the batch."""


class FGSM(GradientAttack):
    """One step of size eps (Goodfellow et al., ICLR 2015)."""

    name: ClassVar[str] = "fgsm"
    references: ClassVar[tuple[str, ...]] = ("goodfellow2015explaining",)
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def library_attack(self, torchattacks: ModuleType, network: nn.Module) -> Any:
        return torchattacks.FGSM(network, eps=self.eps)

    def own_attack(self, loss: Objective, x: Tensor) -> Tensor:
        return attack_steps.fgsm(loss, x, self.eps)

    def passes(self) -> float:
        return 1


class PGD(GradientAttack):
    """Steps of `step_size` from a random start (Madry et al., ICLR 2018); a stage per restart."""

    name: ClassVar[str] = "pgd"
    references: ClassVar[tuple[str, ...]] = ("madry2018towards",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"step_size", "restarts"})
    norms: ClassVar[tuple[str, ...]] = NORMS
    default_steps: ClassVar[int | None] = 20
    random_start: ClassVar[bool] = True

    @property
    def stages(self) -> tuple[str, ...]:
        return (self.name, *(f"{self.name}-{number}" for number in range(2, self.restarts + 1)))

    def library_attack(self, torchattacks: ModuleType, network: nn.Module) -> Any:
        kind = torchattacks.PGD if self.norm == "Linf" else torchattacks.PGDL2
        return kind(network, eps=self.eps, alpha=self.step_size, steps=self.steps, random_start=self.random_start)

    def own_attack(self, loss: Objective, x: Tensor) -> Tensor:
        attack: Callable[..., Tensor] = attack_steps.pgd if self.norm == "Linf" else attack_steps.pgd_l2
        noise: Callable[..., Tensor] = attack_steps.uniform_noise if self.norm == "Linf" else attack_steps.ball_noise
        start = noise(x, self.eps) if self.random_start else None
        return attack(loss, x, self.eps, self.step_size, self.steps or 0, start=start)

    def passes(self) -> float:
        return (self.steps or 0) * self.restarts

    def walk(self) -> Walk:
        return self.steps or 0, self.step_size


class MIFGSM(GradientAttack):
    """Steps of eps/steps with momentum 1 (Dong et al., CVPR 2018)."""

    name: ClassVar[str] = "mifgsm"
    references: ClassVar[tuple[str, ...]] = ("dong2018momentum",)
    reads: ClassVar[frozenset[str] | None] = frozenset({"step_size"})
    default_steps: ClassVar[int | None] = 10

    def default_step_size(self) -> float:
        return self.eps / (self.steps or 1)

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        x_adv = super().perturb(network, x, y, stage, seed)
        return torch.where(x_adv.isnan(), x, x_adv)  # both implementations divide 0 by 0 if a gradient is 0

    def library_attack(self, torchattacks: ModuleType, network: nn.Module) -> Any:
        return torchattacks.MIFGSM(network, eps=self.eps, alpha=self.step_size, steps=self.steps)

    def own_attack(self, loss: Objective, x: Tensor) -> Tensor:
        return attack_steps.mifgsm(loss, x, self.eps, self.step_size, self.steps or 0)

    def passes(self) -> float:
        return self.steps or 0

    def walk(self) -> Walk:
        return self.steps or 0, self.step_size


class CW(Attack):
    """The smallest perturbation at c=1 by Adam (Carlini, Wagner, S&P 2017), from torchattacks; must be within eps."""

    name: ClassVar[str] = "cw"
    references: ClassVar[tuple[str, ...]] = ("carlini2017towards",)
    reads: ClassVar[frozenset[str] | None] = frozenset()
    norms: ClassVar[tuple[str, ...]] = ("L2",)
    bounded: ClassVar[bool] = False
    default_steps: ClassVar[int | None] = 50

    def check(self, num_classes: int, image_size: int) -> None:
        library.required()

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        return library.required().CW(network, steps=self.steps)(x, y)

    def passes(self) -> float:
        return self.steps or 0
