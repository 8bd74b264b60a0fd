"""What both levels of RNAS minimise: L(m(x), y) + λ·f(m(x'), m(x)) of a supernet m, where L is the cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nas.core.logits import correct
from nas.search_spaces.supernet import Supernet, differentiate_only
from nas.strategies.supernet.perturbations import Budget, Perturbation
from nas.strategies.supernet.regularisers import Regulariser


class Terms(NamedTuple):
    """The loss of one batch and its parts, each a scalar; `total` is differentiable."""

    total: Tensor
    cross_entropy: Tensor
    disagreement: Tensor  # f; 0 if it is not part of the loss
    accuracy: Tensor  # on the clean images
    penalty: Tensor | None = None  # of α's loss, before it is multiplied; None if it is not part of the loss

    def stacked(self) -> Tensor:
        penalty = torch.zeros_like(self.accuracy) if self.penalty is None else self.penalty
        return torch.stack([term.detach() for term in (*self[:4], penalty)])


class Outputs(NamedTuple):
    """What a pass of the supernet gives."""

    logits: Tensor
    compared: Tensor  # what f compares: the logits, or the last feature map


@dataclass(frozen=True)
class RobustLoss:
    """L(m(x), y) + λ·f(m(x'), m(x)), which both levels minimise.

    No parameter gets a gradient while x' is made, so those passes only go back to the input and keep no activations for
    the weights. With λ = 0 there is no x' and no random number is drawn.
    """

    f: Regulariser
    perturbation: Perturbation
    budget: Budget
    coefficient: float  # λ

    def outputs(self, m: Supernet, x: Tensor) -> Outputs:
        """One pass of x. Raises InputError if f compares feature maps and the supernet does not show them."""
        if self.coefficient and self.f.of_features:
            return Outputs(*m.with_features(x))
        logits = m(x)
        return Outputs(logits, logits)

    def perturbed(self, m: Supernet, x: Tensor, noise: torch.Generator, clean: Outputs | None = None) -> Tensor | None:
        """x' for the supernet as it is now, or None with λ = 0; `clean` are the outputs of x if they are known."""
        if self.coefficient == 0:
            return None
        if clean is None:
            with torch.no_grad():
                clean = self.outputs(m, x)
        fixed = clean.compared.detach()
        with differentiate_only(m, ()):
            return self.perturbation(
                lambda x_adv: self.f(fixed, self.outputs(m, x_adv).compared), x, self.budget, noise
            )

    def at(self, m: Supernet, x: Tensor, x_adv: Tensor | None, y: Tensor, clean: Outputs | None = None) -> Terms:
        """The loss at a given x'; `clean` are the outputs of x with their graph, if they are known."""
        clean = self.outputs(m, x) if clean is None else clean
        perturbed = None if x_adv is None else self.outputs(m, x_adv).compared
        cross_entropy = functional.cross_entropy(clean.logits, y)
        disagreement = torch.zeros_like(cross_entropy) if perturbed is None else self.f(clean.compared, perturbed)
        total = cross_entropy + self.coefficient * disagreement
        accuracy = correct(clean.logits.detach(), y).float().mean()
        return Terms(total, cross_entropy.detach(), disagreement.detach(), accuracy)

    @property
    def attack_passes(self) -> int:
        """How many passes forward and back to the input it takes to make x'."""
        return self.perturbation.passes(self.budget) if self.coefficient else 0

    @property
    def loss_passes(self) -> int:
        """How many passes forward and back to the parameters the loss takes, given x'."""
        return 2 if self.coefficient else 1
