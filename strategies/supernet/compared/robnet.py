"""RobNet: adversarial training of a supernet with sampled paths, then sampled architectures, fine-tuned and compared.

Source: Guo et al., When NAS Meets Robustness, CVPR 2020 (arXiv:1911.10695), section 3. Its code for the search is not
public, and its own space (cells with 14 edges, each with a residual or separable convolution or without one) is not
the one here: the samples are points of the given space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.core.config.conditions import Condition
from nas.core.io.checkpoint import State
from nas.core.logits import correct
from nas.core.seeds import derive
from nas.search_spaces.supernet import Mixed, Supernet, differentiate_only
from nas.strategies.supernet.accuracy import accuracies
from nas.strategies.supernet.base import Levels
from nas.strategies.supernet.bilevel import Bilevel
from nas.strategies.supernet.halves import Batch
from nas.strategies.supernet.options import BilevelOptions
from nas.strategies.supernet.perturbations import PERTURBATIONS
from nas.strategies.supernet.variants import DARTSOptions

READ = (  # the options of all supernets that act here
    *("epochs", "batch_size", "perturbation", "eps", "steps", "step_size", "lr", "lr_min", "momentum", "weight_decay"),
    *("clip", "crop", "flip", "precision", "validation_images", "nesterov"),
)
IGNORED = Condition(lambda options, space: False, "with strategy.name=robnet, whose paths are drawn at random")


@dataclass
class RobNetOptions(DARTSOptions):
    """`epochs` of adversarial training, then an epoch for each of `samples`. Radius and steps are those of the paper.

    The paper fine-tunes for "a few epochs" and does not say more; the numbers of samples and epochs are this project's.
    """

    eps: float = 8 / 255
    step_size: float = 2 / 255
    steps: int = 7
    samples: int = 50  # architectures that are fine-tuned and compared
    tune_epochs: int = 1  # of adversarial training for each of them, from the weights of the supernet
    rank_images: int = 1000  # of α's half, on which their robust accuracies are compared

    def check(self) -> None:
        super().check()
        self.check_at_least_one("samples", "tune_epochs", "rank_images")


class RobNet(Bilevel):
    """Samples from an adversarially trained supernet, the one with the best robust accuracy (Guo et al., CVPR 2020).

    Each step of the supernet's training has a path of its own, that of a random connected architecture. α does not
    learn. After the training, each epoch fine-tunes one new sample on the weights' half, attacks it by PGD on α's half,
    and puts the supernet's weights back.
    """

    name: ClassVar[str] = "robnet"
    published_cost: ClassVar[str | None] = "274,062 s on an RTX 3090 (Ha et al. 2023, table 3)"
    references: ClassVar[tuple[str, ...]] = ("guo2020robnet",)
    Options: ClassVar[type[BilevelOptions]] = RobNetOptions
    conditions: ClassVar[Mapping[str, Condition]] = {
        one.name: IGNORED for one in fields(BilevelOptions) if one.name not in READ
    }
    options: RobNetOptions
    best: str | None = None  # the sample with the largest robust accuracy so far
    best_accuracy: float = -1.0
    held_out_accuracies: Mapping[str, float | None] = {}  # of the best sample

    @property
    def total_epochs(self) -> int:
        return self.options.epochs + self.options.samples

    def searches(self, epoch: int) -> bool:
        return False  # α never learns

    def train_epoch(self, epoch: int) -> Levels:
        paths, noise = Random(derive(self.seed, "supernet", "paths", epoch)), self.generator("noise", epoch)
        if epoch < self.options.epochs:
            return Levels(self.train_paths(epoch, paths, noise), {})
        before = {name: value.clone() for name, value in self.supernet.state_dict().items()}
        arch = self.draw(paths)
        self.follow(arch)
        self.weight_optimizer.state.clear()
        levels = Levels(self.train_paths(epoch, None, noise), {})
        held_out = super().validation()
        ranked = accuracies(
            self.supernet, self.alpha_half, self.options.rank_images, self.batch_size, self.budget, noise
        )
        robust = ranked["val_robust_accuracy"] or 0.0
        levels.alpha.update(alpha_accuracy=ranked["val_accuracy"] or 0.0, alpha_robust_accuracy=robust)
        if robust > self.best_accuracy:
            self.best, self.best_accuracy, self.held_out_accuracies = str(arch), robust, held_out
        self.supernet.load_state_dict(before)
        self.weight_optimizer.state.clear()
        self.follow(self.space.parse(self.best or str(arch)))
        return levels

    def train_paths(self, epoch: int, paths: Random | None, noise: torch.Generator) -> dict[str, float]:
        """Adversarial training, with a new path for each step, or always the present one for `tune_epochs`."""
        totals = torch.zeros(2, device=self.device)
        times = 1 if paths is not None else self.options.tune_epochs
        for time in range(times):
            for step, (train, _) in enumerate(self.batches(epoch if time == 0 else self.total_epochs * time + epoch)):
                self.set_learning_rate(min(epoch, self.options.epochs - 1) * self.steps_per_epoch + step)
                if paths is not None:
                    self.follow(self.draw(paths))
                totals += self.adversarial_step(train, noise)
        loss, accuracy = (totals / (times * self.steps_per_epoch)).tolist()
        return {"weight_loss": loss, "weight_accuracy": accuracy}

    def adversarial_step(self, batch: Batch, noise: torch.Generator) -> Tensor:
        """One step of SGD on the cross-entropy of perturbed images; its loss and accuracy."""
        (x, y), m = batch, self.supernet
        with differentiate_only(m, ()):
            x_adv = PERTURBATIONS.get(self.options.perturbation)(
                lambda images: functional.cross_entropy(m(images), y), x, self.budget, noise
            )
        with differentiate_only(m, self.weights):
            logits = m(x_adv)
            loss = functional.cross_entropy(logits, y)
            loss.backward()
        nn.utils.clip_grad_norm_(self.weights, self.options.clip)
        self.weight_optimizer.step()
        self.weight_optimizer.zero_grad(set_to_none=True)
        return torch.stack([loss.detach(), correct(logits.detach(), y).float().mean()])

    def draw(self, rng: Random) -> Any:
        """A random architecture whose logits depend on the image."""
        while True:
            arch = self.space.sample(rng)
            if self.space.connected(arch, **self.settings):
                return arch

    def follow(self, arch: Any) -> None:
        """Let passes be those of one architecture."""
        path = {name: one.to(self.device) for name, one in self.supernet.path(arch).items()}
        there = {name: (one > 0).tolist() for name, one in path.items()}
        self.supernet.mixer = lambda name, alpha: Mixed(path[name], there[name])

    def validation(self) -> dict[str, float | None]:
        """Of the best sample so far, after its fine-tuning; before there is one, of a random path, always the same."""
        if self.best is not None:
            return dict(self.held_out_accuracies)
        self.follow(self.draw(Random(derive(self.seed, "supernet", "paths", "validation"))))
        return super().validation()

    def derived(self) -> tuple[str, dict[str, int]]:
        if self.best is None:
            return super().derived()
        column = self.supernet.operations.index("skip_connect")
        path = self.supernet.path(self.space.parse(self.best))
        return self.best, {name: int(one[:, column].sum()) for name, one in path.items()}

    def install(self, supernet: Supernet) -> None:
        super().install(supernet)
        self.follow(self.draw(Random(derive(self.seed, "supernet", "paths", "validation"))))

    def settle(self) -> None:
        """The mixture of the moment stays: it is a path."""

    def eigenvalue(self) -> float:
        return 0.0

    def passes(self) -> int:
        """Including those that rank the samples, whose last one of each batch has no backward pass."""
        attack = PERTURBATIONS.get(self.options.perturbation).passes(self.budget)
        images = min(self.options.rank_images, len(self.alpha_half))
        ranking = -(-images // self.batch_size) * (self.budget.steps + 2)
        steps = self.options.epochs + self.options.samples * self.options.tune_epochs
        return steps * self.steps_per_epoch * (attack + 1) + self.options.samples * ranking

    def state_dict(self) -> State:
        best = {"arch": self.best, "accuracy": self.best_accuracy, "held_out": dict(self.held_out_accuracies)}
        return {**super().state_dict(), "best": best}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        best = state["best"]
        self.best, self.best_accuracy, self.held_out_accuracies = best["arch"], best["accuracy"], best["held_out"]
