"""The bilevel search of DARTS and RNAS: the weights learn on one half of the training images, α on the other."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nas.core.data import Dataset, Split
from nas.core.errors import InputError, NasError
from nas.core.images import unit_range
from nas.core.io.checkpoint import State
from nas.core.optimisation.lr_schedule import cosine
from nas.core.seeds import derive
from nas.results import SupernetEpoch
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.accuracy import accuracies
from nas.strategies.supernet.curvature import loss_sharpness
from nas.strategies.supernet.gradients import only
from nas.strategies.supernet.halves import Batch, half_batches, halves, on
from nas.strategies.supernet.losses import RobustLoss, Terms
from nas.strategies.supernet.options import PRECISIONS, BilevelOptions
from nas.strategies.supernet.perturbations import PERTURBATIONS, Budget
from nas.strategies.supernet.regularisers import REGULARISERS
from nas.strategies.supernet.stopping import early_end, is_collapsing
from nas.strategies.supernet.unrolled import unrolled_gradient


class Derived(NamedTuple):
    """What a search ends with: an architecture, as its space writes it."""

    arch: str
    epoch: int  # whose architecture it is
    stopped: str | None  # why the search stopped early, if it did


class Bilevel:
    """Searches a supernet, an `epoch()` at a time until `done`; `result()` then tells the architecture.

    An epoch goes once over the weights' half of `dataset.train`; each step is one Adam step of α on a batch of the
    other half (not in the warm-up), then one SGD step of the weights. Both batches are augmented, as in the release of
    DARTS. Accuracies are of `dataset.validation`, which neither level sees and no choice depends on.

    All randomness of an epoch comes from generators derived from (seed, epoch), one for each half's batches and one
    for the perturbations: with the same seed all settings see the same images in the same order. So between epochs
    `state_dict` is complete, and a search that loads it continues to the same bits on a CPU. It refers to the live
    tensors: save it, or copy it, before the next epoch.
    """

    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset,
        options: BilevelOptions,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        options.check()
        self.options = options
        self.seed = seed
        self.device = torch.device(device)
        self.supernet = supernet.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.supernet.precision = PRECISIONS[options.precision]
        self.weights, self.alphas = self.supernet.weights(), self.supernet.architecture_parameters()
        self.weight_half, self.alpha_half = (
            on(half, self.device) for half in halves(dataset.train, dataset.num_classes)
        )
        if len(self.alpha_half) < 2:
            raise InputError(f"Expected at least 4 training images to halve but got {len(dataset.train)}; add images.")
        self.held_out = on(dataset.validation, self.device)
        self.batch_size = min(options.batch_size, len(self.weight_half), len(self.alpha_half))
        self.steps_per_epoch = len(self.weight_half) // self.batch_size  # the incomplete last batch is left out
        self.budget = Budget(options.eps, options.step_size, options.steps)
        self.loss = RobustLoss(
            REGULARISERS.get(options.regulariser),
            PERTURBATIONS.get(options.perturbation),
            self.budget,
            options.coefficient,
        )
        self.warm_up_loss = self.loss if options.warm_up_regularised else replace(self.loss, coefficient=0.0)
        self.weight_optimizer = torch.optim.SGD(
            self.weights, options.lr, options.momentum, weight_decay=options.weight_decay
        )
        self.alpha_optimizer = torch.optim.Adam(
            self.alphas,
            options.alpha_lr,
            (options.alpha_beta1, options.alpha_beta2),
            weight_decay=options.alpha_weight_decay,
        )
        self.epochs_done = 0
        self.history: list[SupernetEpoch] = []
        self.stopped: str | None = None  # why, where a criterion ended the search
        self.chosen: SupernetEpoch | None = None  # that of the architecture that such a criterion chose

    # the search

    @property
    def done(self) -> bool:
        return self.epochs_done >= self.options.epochs or self.stopped is not None

    def epoch(self) -> SupernetEpoch:
        """One epoch, and what is measured in it and after it."""
        started = time.perf_counter()
        number, options = self.epochs_done, self.options
        searching = number >= options.warm_up
        loss = self.loss if searching else self.warm_up_loss
        noise = self._generator("noise", number)
        alpha_sum, weight_sum = torch.zeros(2, len(Terms._fields), device=self.device)
        for step, (weight_batch, alpha_batch) in enumerate(self.batches(number)):
            self._set_rate(number * self.steps_per_epoch + step)
            if searching:
                alpha_sum += _stacked(self.alpha_step(alpha_batch, weight_batch, noise))
            weight_sum += _stacked(self.weight_step(weight_batch, loss, noise))
        weight = _means("weight", weight_sum / self.steps_per_epoch, loss)
        alpha = _means("alpha", alpha_sum / self.steps_per_epoch, self.loss) if searching else {}
        self._check_finite(number + 1, weight | alpha)
        skips = self.supernet.skips()
        found = SupernetEpoch(
            epoch=number + 1,
            warm_up=not searching,
            weight=weight,
            alpha=alpha,
            arch=str(self.supernet.derive()),
            entropy={f"entropy_{cell}": value for cell, value in self.supernet.entropy().items()},
            skips={f"skips_{cell}": count for cell, count in skips.items()},
            warning=self._warning(skips),
            validation=self.validation(),
            eigenvalue=self.eigenvalue() if options.stop_eigenvalue and searching else None,
            lr=self.weight_optimizer.param_groups[0]["lr"],
            seconds=time.perf_counter() - started,
        )
        self.history.append(found)
        self.epochs_done += 1
        if (end := early_end(options, self.history)) is not None:
            self.stopped, self.chosen = end
        return found

    def batches(self, epoch: int) -> Iterator[tuple[Batch, Batch]]:
        """Pairs of a batch of the weights' half and one of α's half, each half in a random order."""
        return zip(
            self._of(self.weight_half, self._generator("weights", epoch)),
            self._of(self.alpha_half, self._generator("alphas", epoch)),
        )

    def weight_step(self, batch: Batch, loss: RobustLoss, noise: torch.Generator) -> Terms:
        """One SGD step of the weights at fixed α; no gradient of α is computed."""
        with only(self.supernet, self.weights):
            terms = loss(self.supernet, *batch, noise)
            terms.total.backward()
        nn.utils.clip_grad_norm_(self.weights, self.options.clip)
        self.weight_optimizer.step()
        self.weight_optimizer.zero_grad(set_to_none=True)
        return terms

    def alpha_step(self, batch: Batch, weight_batch: Batch, noise: torch.Generator) -> Terms:
        """One Adam step of α; `weight_batch` is looked at in second order only."""
        gradients, terms = self.alpha_gradient(batch, weight_batch, noise)
        for alpha, gradient in zip(self.alphas, gradients):
            alpha.grad = gradient
        self.alpha_optimizer.step()
        self.alpha_optimizer.zero_grad(set_to_none=True)
        return terms

    def alpha_gradient(self, batch: Batch, weight_batch: Batch, noise: torch.Generator) -> tuple[list[Tensor], Terms]:
        """∇_α of the loss on a batch of α's half: at the weights as they are, or after one more step of them."""
        if not self.options.second_order:
            with only(self.supernet, self.alphas):  # no gradient of a weight is computed
                terms = self.loss(self.supernet, *batch, noise)
                return list(torch.autograd.grad(terms.total, self.alphas)), terms
        x, y = weight_batch
        x_adv = self.loss.perturbed(self.supernet, x, noise)
        return unrolled_gradient(
            self.supernet,
            lambda: self.loss(self.supernet, *batch, noise),
            lambda: self.loss.at(self.supernet, x, x_adv, y),
            self.weight_optimizer,
        )

    def result(self) -> Derived:
        """The architecture that the search ends with, or would end with now."""
        if not self.history:
            return Derived(str(self.supernet.derive()), 0, None)
        epoch = self.chosen or self.history[-1]
        return Derived(epoch.arch, epoch.epoch, self.stopped)

    def passes(self) -> int:
        """Forward and backward passes of one batch that the whole search takes, validation and Hessians left out."""

        def whole(loss: RobustLoss) -> int:
            return loss.loss_passes + loss.attack_passes

        options = self.options
        warm_up = min(options.warm_up, options.epochs)
        alpha = whole(self.loss)
        if options.second_order:  # x' of the weights' batch once, with the pass for its clean logits; three gradients
            alpha += self.loss.attack_passes + (self.loss.coefficient > 0) + 3 * self.loss.loss_passes
        searching = (options.epochs - warm_up) * (whole(self.loss) + alpha)
        return self.steps_per_epoch * (warm_up * whole(self.warm_up_loss) + searching)

    # what is looked at after an epoch

    def validation(self) -> dict[str, float | None]:
        """Accuracy on the held-out images, clean and under PGD with the same random starts in every epoch.

        None where the data have no held-out images; empty where no accuracies are asked for.
        """
        return accuracies(
            self.supernet,
            self.held_out,
            self.options.validation_images,
            self.batch_size,
            self.budget,
            self._generator("validation"),
        )

    def eigenvalue(self) -> float:
        """The dominant eigenvalue of α's Hessian of the loss on the first batch of its half, the same every time."""
        generator = self._generator("eigenvalue")
        x = unit_range(self.alpha_half.images[: self.batch_size])
        y = self.alpha_half.labels[: self.batch_size]
        x_adv = self.loss.perturbed(self.supernet, x, generator)
        with only(self.supernet, self.alphas):
            return loss_sharpness(self.loss.at(self.supernet, x, x_adv, y).total, self.alphas, generator)

    def _warning(self, skips: dict[str, int]) -> str | None:
        collapsing = [cell for cell, count in skips.items() if is_collapsing(count, self.supernet.derived_edges)]
        return f"mostly skip connections in: {', '.join(collapsing)}" if collapsing else None

    # state

    def state_dict(self) -> State:
        return {
            "epochs_done": self.epochs_done,
            "supernet": self.supernet.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "history": [epoch.to_json() for epoch in self.history],
            "stopped": self.stopped,
            "chosen": None if self.chosen is None else self.chosen.to_json(),
        }

    def load_state_dict(self, state: State) -> None:
        self.supernet.load_state_dict(state["supernet"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.epochs_done = state["epochs_done"]
        self.history = list(map(SupernetEpoch.from_json, state["history"]))
        self.stopped = state["stopped"]
        self.chosen = None if state["chosen"] is None else SupernetEpoch.from_json(state["chosen"])

    # parts

    def _generator(self, *labels: object) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(derive(self.seed, "supernet", *labels))

    def _of(self, half: Split, generator: torch.Generator) -> Iterator[Batch]:
        return half_batches(
            half, self.steps_per_epoch, self.batch_size, self.options.crop, self.options.flip, generator
        )

    def _set_rate(self, step: int) -> None:
        total = self.options.epochs * self.steps_per_epoch
        for group in self.weight_optimizer.param_groups:
            group["lr"] = cosine(step, total, self.options.lr, self.options.lr_min)

    def _check_finite(self, epoch: int, means: dict[str, float]) -> None:
        for level in ("weight", "alpha"):
            value = means.get(f"{level}_loss", 0.0)
            if not math.isfinite(value):
                raise NasError(
                    f"The search diverged: the loss of the {level}s became {value} in epoch {epoch}; lower "
                    f"{self.options.section}.lr or {self.options.section}.clip and resume from the last checkpoint or "
                    "start again."
                )


def _stacked(terms: Terms) -> Tensor:
    return torch.stack([term.detach() for term in terms])


def _means(level: str, means: Tensor, loss: RobustLoss) -> dict[str, float]:
    """What is measured on one level; the disagreement only where it was part of the loss."""
    total, cross_entropy, disagreement, accuracy = means.tolist()
    values = {"loss": total, "cross_entropy": cross_entropy, "accuracy": accuracy}
    if loss.coefficient:
        values["disagreement"] = disagreement
    return {f"{level}_{name}": value for name, value in values.items()}
