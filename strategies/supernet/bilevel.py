"""Algorithm 1 of RNAS: the mixture α and the weights w of a supernet m learn in turn.

    min_α  L_val(w*(α), α) + λ·max_{x' ∈ S} f(m(x'), m(x))
    where  w*(α) = argmin_w [L_train(w, α) + λ·max_{x' ∈ S} f(m(x'), m(x))]                                      (eq. 4)

L is the cross-entropy, S the L∞ ball of images around x, and f measures how much the logits of x' and x disagree. In
algorithm 2, RNAS-uniform, x' is drawn from S at random (eq. 5); with λ = 0 the problem is that of DARTS (eq. 3).
Source: Zhu et al., Robust Neural Architecture Search.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn

from nas.core.images import unit_range
from nas.search_spaces.supernet import differentiate_only
from nas.strategies.supernet.base import Levels, SupernetStrategy
from nas.strategies.supernet.early_stopping import loss_sharpness
from nas.strategies.supernet.halves import Batch
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.strategies.supernet.robust_loss import RobustLoss, Terms
from nas.strategies.supernet.second_order import second_order_gradient


class Bilevel(SupernetStrategy):
    """Algorithm 1: for each pair of batches one Adam step of α, then one SGD step of w.

    A variant has other defaults of the options or replaces a method: `loss` (what both levels minimise),
    `alpha_gradient` (how w*(α) is approximated), `searches` (in which epochs α learns). `Supernet.probabilities`
    says how operations are mixed, and `Supernet.derive` says how an architecture is chosen.
    """

    def train_epoch(self, epoch: int) -> Levels:
        searches, loss_of_w, noise = self.searches(epoch), self.loss_of_weights(epoch), self.generator("noise", epoch)
        w_terms, alpha_terms = torch.zeros(2, len(Terms._fields), device=self.device)
        for step, (train, valid) in enumerate(self.batches(epoch)):  # while not converged do
            self.set_learning_rate(epoch * self.steps_per_epoch + step)
            if searches:
                alpha_terms += self.alpha_step(valid, train, noise).stacked()
            w_terms += self.weight_step(train, loss_of_w, noise).stacked()
        return Levels(
            weight=self.means("weight", w_terms, loss_of_w),
            alpha=self.means("alpha", alpha_terms, self.loss) if searches else {},
        )

    def alpha_step(self, valid: Batch, train: Batch, noise: torch.Generator) -> Terms:
        """Update α by min_α L_val(w*(α), α) + λ·max f(m(x'), m(x)); eq. 4, first line."""
        gradients, terms = self.alpha_gradient(valid, train, noise)
        for alpha, gradient in zip(self.alphas, gradients):
            alpha.grad = gradient
        self.alpha_optimizer.step()
        self.alpha_optimizer.zero_grad(set_to_none=True)
        return terms

    def weight_step(self, train: Batch, loss: RobustLoss, noise: torch.Generator) -> Terms:
        """Update w by min_w [L_train(w, α) + λ·max f(m(x'), m(x))]; eq. 4, second line."""
        with differentiate_only(self.supernet, self.weights):
            terms = self.robust_loss(train, loss, noise)
            terms.total.backward()
        nn.utils.clip_grad_norm_(self.weights, self.options.clip)
        self.weight_optimizer.step()
        self.weight_optimizer.zero_grad(set_to_none=True)
        return terms

    def robust_loss(self, batch: Batch, loss: RobustLoss, noise: torch.Generator) -> Terms:
        """Perturb the images of a batch and compute the loss; m(x) is computed only once."""
        (x, y), m = batch, self.supernet
        clean = m(x)
        x_adv = loss.perturbed(m, x, noise, clean.detach())  # argmax_{x' ∈ S} f(m(x'), m(x)), or drawn from S (eq. 5)
        return loss.at(m, x, x_adv, y, clean)  # L(m(x), y) + λ·f(m(x'), m(x))

    def alpha_gradient(self, valid: Batch, train: Batch, noise: torch.Generator) -> tuple[list[Tensor], Terms]:
        """∇_α of the loss at w*(α) ≈ w (first order), or at w after one more step on `train` (second order)."""
        m, loss = self.supernet, self.loss
        if not self.options.second_order:
            with differentiate_only(m, self.alphas):
                terms = self.robust_loss(valid, loss, noise)
                return list(torch.autograd.grad(terms.total, self.alphas)), terms
        x, y = train
        x_adv = loss.perturbed(m, x, noise)
        return second_order_gradient(
            m,
            alpha_loss=lambda: self.robust_loss(valid, loss, noise),
            weight_loss=lambda: loss.at(m, x, x_adv, y),
            optimizer=self.weight_optimizer,
        )

    # what variants share

    @cached_property
    def loss(self) -> RobustLoss:
        """What both levels minimise."""
        options = self.options
        return RobustLoss(
            REGULARISERS.get(options.regulariser),
            PERTURBATIONS.get(options.perturbation),
            self.budget,
            options.coefficient,
        )

    def loss_of_weights(self, epoch: int) -> RobustLoss:
        """`loss`, but without the disagreement in the warm-up if `warm_up_regularised` is false."""
        regularised = self.searches(epoch) or self.options.warm_up_regularised
        return self.loss if regularised else replace(self.loss, coefficient=0.0)

    def means(self, level: str, terms: Tensor, loss: RobustLoss) -> dict[str, float]:
        """The means over an epoch's steps, by name, from the sums `terms`; the disagreement only if the loss has it."""
        total, cross_entropy, disagreement, accuracy = (terms / self.steps_per_epoch).tolist()
        values = {"loss": total, "cross_entropy": cross_entropy, "accuracy": accuracy}
        if loss.coefficient:
            values["disagreement"] = disagreement
        return {f"{level}_{name}": value for name, value in values.items()}

    def eigenvalue(self) -> float:
        """The dominant eigenvalue of ∂²loss/∂α² on the first batch of α's half, always with the same noise."""
        noise = self.generator("eigenvalue")
        x = unit_range(self.alpha_half.images[: self.batch_size])
        y = self.alpha_half.labels[: self.batch_size]
        x_adv = self.loss.perturbed(self.supernet, x, noise)
        with differentiate_only(self.supernet, self.alphas):
            return loss_sharpness(self.loss.at(self.supernet, x, x_adv, y).total, self.alphas, noise)

    def passes(self) -> int:
        total = 0
        for epoch in range(self.options.epochs):
            losses = [self.loss_of_weights(epoch)]
            if self.searches(epoch):
                losses.append(self.loss)
                if self.options.second_order:  # on `train`: x', the clean logits, then three gradients
                    total += self.loss.attack_passes + (self.loss.coefficient > 0) + 3 * self.loss.loss_passes
            total += sum(loss.attack_passes + loss.loss_passes for loss in losses)
        return self.steps_per_epoch * total
