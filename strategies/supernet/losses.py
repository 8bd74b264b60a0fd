"""What both levels of RNAS minimise: cross-entropy plus λ times the disagreement with the perturbed images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.logits import correct
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.gradients import only
from nas.strategies.supernet.perturbations import Budget, Perturbation
from nas.strategies.supernet.regularisers import Regulariser


class Terms(NamedTuple):
    """Scalars of one batch; `total` is differentiable."""

    total: Tensor
    cross_entropy: Tensor
    disagreement: Tensor  # f; 0 where it is not part of the loss
    accuracy: Tensor  # on the clean images


@dataclass(frozen=True)
class RobustLoss:
    """CE(m(x), y) + λ·f(m(x), m(x')), m the supernet.

    The clean logits m(x) are computed once: detached they are what x' is made to disagree with, with their graph they
    stand in both terms. The parameters get no gradient while x' is made, so those passes only go back to the input and
    keep no activations for the weights. With λ = 0 there is no x' and no random number is drawn.
    """

    regulariser: Regulariser
    perturbation: Perturbation
    budget: Budget
    coefficient: float  # λ

    def __call__(self, supernet: Supernet, x: Tensor, y: Tensor, generator: torch.Generator) -> Terms:
        clean = supernet(x)
        x_adv = self._perturbed(supernet, x, clean.detach(), generator)
        return self._terms(clean, None if x_adv is None else supernet(x_adv), y)

    def perturbed(self, supernet: Supernet, x: Tensor, generator: torch.Generator) -> Tensor | None:
        """x' for the supernet as it is now, to be used with `at`."""
        if self.coefficient == 0:
            return None
        with torch.no_grad():
            clean = supernet(x)
        return self._perturbed(supernet, x, clean, generator)

    def at(self, supernet: Supernet, x: Tensor, x_adv: Tensor | None, y: Tensor) -> Terms:
        """The same loss where x' is given."""
        return self._terms(supernet(x), None if x_adv is None else supernet(x_adv), y)

    @property
    def attack_passes(self) -> int:
        """Passes forward and back to the input that making x' takes."""
        return self.perturbation.passes(self.budget) if self.coefficient else 0

    @property
    def loss_passes(self) -> int:
        """Passes forward and back to the parameters that the loss takes once x' is there."""
        return 2 if self.coefficient else 1

    def _perturbed(self, supernet: Supernet, x: Tensor, clean: Tensor, generator: torch.Generator) -> Tensor | None:
        if self.coefficient == 0:
            return None
        with only(supernet, ()):
            return self.perturbation(lambda x_adv: self.regulariser(clean, supernet(x_adv)), x, self.budget, generator)

    def _terms(self, clean: Tensor, perturbed: Tensor | None, y: Tensor) -> Terms:
        cross_entropy = functional.cross_entropy(clean, y)
        accuracy = correct(clean.detach(), y).float().mean()
        if perturbed is None:
            return Terms(cross_entropy, cross_entropy.detach(), torch.zeros_like(cross_entropy), accuracy)
        disagreement = self.regulariser(clean, perturbed)
        total = cross_entropy + self.coefficient * disagreement
        return Terms(total, cross_entropy.detach(), disagreement.detach(), accuracy)
