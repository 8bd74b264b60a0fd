"""The contract of a training method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.config import Section
from nas.core.io.checkpoint import State
from nas.core.optimisation.attack_steps import Objective, Walk, eval_mode, pgd
from nas.core.optimisation.shards import BatchShard

Outputs = list[tuple[Tensor, Tensor | None]]  # for each of `Method.inputs`: logits, and logits of an auxiliary head
Criterion = Callable[[tuple[Tensor, Tensor | None], Tensor], Tensor]  # maps outputs and labels to the loss

FLOAT16_GAIN = 1024.0  # multiplies an attack's objective in float16 against underflow; signs of gradients stay


@dataclass
class MethodOptions(Section):
    """The options of the attacks of all methods; `Method.reads` lists those that a method reads."""

    eps: float = 8 / 255  # radius of the L∞ ball, images in [0, 1]
    step_size: float = 2 / 255  # pgd, trades; and the validation's PGD
    steps: int = 7  # pgd, trades
    trades_beta: float = 6.0  # trades: weight of the divergence between clean and attacked outputs
    fgsm_alpha: float = 1.25  # step over eps
    free_replays: int = 8  # free: steps on each batch
    free_alpha: float = 1.0  # step over eps

    def check(self) -> None:
        super().check()
        self.check_between({"eps": (0, 1), "steps": (1, 100_000), "trades_beta": (0, 1e6), "free_replays": (1, 1000)})
        self.check_positive("step_size", "fgsm_alpha", "free_alpha")


OPTIONS = tuple(option.name for option in fields(MethodOptions))


class Method:
    """Makes the training examples of each batch and computes the loss on them.

    Lifetime: each training makes one object. For every batch it calls `draw` once, then `replays` times: `examples`,
    `inputs` and `loss` for each part of the batch, and `after` when all parts are done. The cost of a step is
    `passes`, the gradients with respect to each image, plus `forwards`, the passes that compute gradients of the
    weights. `nas list` shows the first line of a subclass's docstring.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()  # keys of the bibliography, or BibTeX entries
    label: ClassVar[str]  # the name in prose
    adversarial: ClassVar[bool] = True
    reads: ClassVar[frozenset[str] | None] = None  # the `OPTIONS` that it reads; not inherited; None for all
    forwards: ClassVar[int] = 1

    def __init__(self, settings: MethodOptions, model: nn.Module, logits: Callable[[Tensor], Tensor]) -> None:
        self.settings = settings
        self.model = model
        self.logits = logits  # of the model, in the precision of the training
        self.gain = 1.0  # multiplies an attack's objective; `FLOAT16_GAIN` if training is in float16

    @classmethod
    def passes(cls, settings: MethodOptions) -> int:
        """The number of gradients of the input per image and step."""
        return 0

    @classmethod
    def walk(cls, settings: MethodOptions) -> Walk | None:
        """The number and the length of the attack's steps; None if the method does not attack."""
        return None

    @classmethod
    def replays(cls, settings: MethodOptions) -> int:
        """The number of optimiser steps on each batch."""
        return 1

    def draw(self, x: Tensor, generator: torch.Generator, shard: BatchShard | None) -> Tensor:
        """The starting points of the attack on images x; x itself by default."""
        return x

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        """The images to train on."""
        return x

    def inputs(self, x: Tensor, examples: Tensor) -> tuple[Tensor, ...]:
        """The batches that go through the network in train mode, one after the other."""
        return (examples,)

    def loss(self, outputs: Outputs, y: Tensor, criterion: Criterion) -> Tensor:
        """The loss, from the outputs for `inputs`."""
        return criterion(outputs[0], y)

    def after(self) -> None:
        """Called when all gradients of a step are computed, before the optimiser moves the weights."""

    def state_dict(self) -> State:
        """The state on which the next batch depends."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Inverse of `state_dict`."""

    def attacked(self, objective: Objective, x: Tensor, start: Tensor, step: float, steps: int) -> Tensor:
        """PGD in the L∞ ball of radius eps, with the network in eval mode; `objective` is a sum over the images."""
        with eval_mode(self.model):
            return pgd(lambda z: self.gain * objective(z), x, self.settings.eps, step, steps, start=start)

    def cross_entropy(self, y: Tensor) -> Objective:
        """x ↦ Σ CE(model(x), y): the sum makes an image's gradient independent of the others in its batch."""
        return lambda x: F.cross_entropy(self.logits(x).float(), y, reduction="sum")
