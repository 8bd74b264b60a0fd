"""Algorithm 1 of RNAS: the mixture α and the weights w of a supernet m learn in turn.

    min_α  L_val(w*(α), α) + λ·max_{x' ∈ S} f(m(x'), m(x))
    where  w*(α) = argmin_w [L_train(w, α) + λ·max_{x' ∈ S} f(m(x'), m(x))]                                      (eq. 4)

L is the cross-entropy, S the L∞ ball of images around x, and f measures how much the logits of x' and x disagree. In
algorithm 2, RNAS-uniform, x' is drawn from S at random (eq. 5); with λ = 0 the problem is that of DARTS (eq. 3).
Source: Zhu et al., Robust Neural Architecture Search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn

from nas.core.images import unit_range
from nas.search_spaces.supernet import differentiate_only
from nas.strategies.supernet.base import Levels, Phase
from nas.strategies.supernet.compilation import uncompiled
from nas.strategies.supernet.double_backward import cheap_double_backward
from nas.strategies.supernet.early_stopping import loss_sharpness
from nas.strategies.supernet.halves import Batch
from nas.strategies.supernet.mixing.noise import MIXTURE_NOISES
from nas.strategies.supernet.mixing.options import coefficient_of_alpha
from nas.strategies.supernet.mixing.skip_dropout import SkipDropout
from nas.strategies.supernet.mixing.steps import MixingStrategy
from nas.strategies.supernet.penalties import PENALTIES, Penalty
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.strategies.supernet.robust_loss import RobustLoss, Terms
from nas.strategies.supernet.second_order import gradients, second_order_gradient


class Bilevel(MixingStrategy):
    """Algorithm 1: for each pair of batches one Adam step of α, then one SGD step of w.

    A variant has other defaults of the options (how α mixes operations, whether the mixture is perturbed, what α's loss
    contains) or replaces a method: `loss` (what both levels minimise), `alpha_gradient` (how w*(α) is approximated),
    `searches` (in which epochs α learns), `derived` (how an architecture is chosen).
    """

    def train_epoch(self, epoch: int) -> Levels:
        searches, loss_of_w, noise = self.searches(epoch), self.loss_of_weights(epoch), self.generator("noise", epoch)
        draws, rate = self.generator("mixture", epoch), self.skip_dropout(epoch)
        self.supernet.skip_output = self.dropout = SkipDropout(rate, self.generator("skips", epoch)) if rate else None
        w_terms, alpha_terms = torch.zeros(2, len(Terms._fields), device=self.device)
        for step, (train, valid) in enumerate(self.batches(epoch)):  # while not converged do
            self.set_learning_rate(epoch * self.steps_per_epoch + step)
            if searches:
                self.begin_step(draws)
                alpha_terms += self.alpha_step(valid, train, noise).stacked()
            self.begin_step(draws)
            self.perturb_mixture(train, draws)
            w_terms += self.weight_step(train, loss_of_w, noise).stacked()
        self.supernet.skip_output = self.dropout = None
        self.settle()
        return Levels(
            weight=self.means("weight", w_terms, loss_of_w),
            alpha=self.means("alpha", alpha_terms, self.loss_of_alpha(epoch)) if searches else {},
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
        clean = loss.outputs(m, x)
        x_adv = loss.perturbed(m, x, noise, clean)  # argmax_{x' ∈ S} f(m(x'), m(x)), or drawn from S (eq. 5)
        return loss.at(m, x, x_adv, y, clean)  # L(m(x), y) + λ·f(m(x'), m(x))

    def alpha_gradient(self, valid: Batch, train: Batch, noise: torch.Generator) -> tuple[list[Tensor], Terms]:
        """∇_α of the loss at w*(α) ≈ w (first order), or at w after one more step on `train` (second order)."""
        m, loss = self.supernet, self.loss_of_weights(self.epochs_done)
        if not self.options.second_order:
            with differentiate_only(m, self.alphas):
                terms = self.alpha_loss(valid, noise)
                return gradients(terms.total, self.alphas), terms
        x, y = train
        x_adv = loss.perturbed(m, x, noise)
        return second_order_gradient(
            m,
            alpha_loss=lambda: self.alpha_loss(valid, noise),
            weight_loss=lambda: loss.at(m, x, x_adv, y),
            optimizer=self.weight_optimizer,
        )

    def alpha_loss(self, batch: Batch, noise: torch.Generator) -> Terms:
        """The loss of a batch, plus the penalty of α's level if there is one in this epoch."""
        loss = self.loss_of_alpha(self.epochs_done)
        if self.penalty is None:
            return self.robust_loss(batch, loss, noise)
        return self.penalised_loss(batch, loss, self.penalty, noise)

    def penalised_loss(self, batch: Batch, loss: RobustLoss, penalty: Penalty, noise: torch.Generator) -> Terms:
        (x, y), m = batch, self.supernet
        leaf = x.detach().requires_grad_()
        with penalty.graphs(m):
            clean = loss.outputs(m, leaf)
        terms = loss.at(m, x, loss.perturbed(m, x, noise, clean), y, clean)
        with penalty.graphs(m):
            value = penalty.compute(m, leaf, y, clean.logits)
        total = terms.total + self.options.penalty_coefficient * value
        return terms._replace(total=total, penalty=value.detach())

    # what variants share

    @property
    def penalty(self) -> Penalty | None:
        """What α's loss contains in this epoch besides the loss of both levels."""
        options = self.options
        there = options.penalty is not None and self.epochs_done >= options.penalty_after
        return PENALTIES.get(options.penalty) if there and options.penalty else None

    @cached_property
    def loss(self) -> RobustLoss:
        """What both levels minimise, unless α has a coefficient of its own."""
        options = self.options
        return RobustLoss(
            REGULARISERS.get(options.regulariser).at(options.regulariser_temperature),
            PERTURBATIONS.get(options.perturbation),
            self.budget,
            options.coefficient,
        )

    def loss_of_weights(self, epoch: int) -> RobustLoss:
        """`loss`, but without the disagreement in the warm-up if `warm_up_regularised` is false."""
        regularised = self.searches(epoch) or self.options.warm_up_regularised
        return self.loss if regularised else replace(self.loss, coefficient=0.0)

    def loss_of_alpha(self, epoch: int) -> RobustLoss:
        """`loss` with α's coefficient, without the disagreement in the first `alpha_coefficient_after` epochs."""
        options = self.options
        late = epoch < options.alpha_coefficient_after
        return replace(self.loss, coefficient=0.0 if late else coefficient_of_alpha(options))

    def means(self, level: str, terms: Tensor, loss: RobustLoss) -> dict[str, float]:
        """The means over an epoch's steps, by name, from the sums `terms`; the disagreement only if the loss has it."""
        total, cross_entropy, disagreement, accuracy, penalty = (terms / self.steps_per_epoch).tolist()
        values = {"loss": total, "cross_entropy": cross_entropy, "accuracy": accuracy}
        if loss.coefficient:
            values["disagreement"] = disagreement
        if level == "alpha" and self.penalty is not None:
            values["penalty"] = penalty
        return {f"{level}_{name}": value for name, value in values.items()}

    def eigenvalue(self) -> float:
        """The dominant eigenvalue of ∂²loss/∂α² on the first batch of α's half, always with the same noise.

        The loss is that of α in this epoch without its penalty, with operations mixed by softmax(α).
        """
        noise, loss = self.generator("eigenvalue"), self.loss_of_alpha(self.epochs_done)
        self.supernet.mixer = None
        x = unit_range(self.alpha_half.images[: self.batch_size])
        y = self.alpha_half.labels[: self.batch_size]
        with uncompiled(self.supernet):
            x_adv = loss.perturbed(self.supernet, x, noise)
        with differentiate_only(self.supernet, self.alphas), uncompiled(self.supernet), cheap_double_backward():
            sharpness = loss_sharpness(loss.at(self.supernet, x, x_adv, y).total, self.alphas, noise)
        self.settle()
        return sharpness

    def passes(self) -> int:
        return self.steps_per_epoch * sum(map(self.passes_of_step, range(self.options.epochs)))

    def passes_of_step(self, epoch: int) -> int:
        """How many forward passes a step of both levels takes in an epoch."""
        options, losses, total = self.options, [self.loss_of_weights(epoch)], 0
        if options.mixture_noise is not None:
            total += MIXTURE_NOISES.get(options.mixture_noise).passes(options.noise_steps)
        if self.searches(epoch):
            losses.append(self.loss_of_alpha(epoch))
            if options.second_order:  # on `train`: x', the clean logits, then three gradients
                total += losses[0].attack_passes + (losses[0].coefficient > 0) + 3 * losses[0].loss_passes
            if options.penalty is not None and epoch >= options.penalty_after:
                total += PENALTIES.get(options.penalty).passes
        return total + sum(loss.attack_passes + loss.loss_passes for loss in losses)

    # what a forecast measures

    def phases(self) -> Iterator[Phase]:
        yield Phase(self.passes(), self.penalised_steps(range(self.options.epochs)))

    def penalised_steps(self, epochs: Iterable[int]) -> int:
        options = self.options
        there = (
            options.penalty is not None and epoch >= options.penalty_after for epoch in epochs if self.searches(epoch)
        )
        return self.steps_per_epoch * sum(there)

    def penalised_gradient(self, batch: Batch) -> list[Tensor]:
        """∇_α of the cross-entropy and the penalty, whatever the epoch: `1 + penalty.passes` forward passes."""
        assert self.options.penalty is not None
        loss, penalty = replace(self.loss, coefficient=0.0), PENALTIES.get(self.options.penalty)
        with differentiate_only(self.supernet, self.alphas):
            return gradients(self.penalised_loss(batch, loss, penalty, self.generator("forecast")).total, self.alphas)
