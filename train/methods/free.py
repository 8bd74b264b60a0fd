"""Adversarial training whose attack costs nothing extra."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from nas.core.io.checkpoint import State
from nas.core.optimisation.attack_steps import Walk
from nas.core.optimisation.shards import BatchShard
from nas.train.methods.base import Method, MethodOptions


class Free(Method):
    """adversarial: free, train.free_replays steps on each batch that move weights and perturbation at once

    Each backward pass gives the gradient of the weights and that of the perturbation δ: the weights take a step down,
    δ ← clip(δ + α·eps·sign(∂L/∂δ), ±eps). A batch starts from the δ of the batch before; the network stays in train
    mode. An epoch takes as many times longer as there are replays, so a training has fewer epochs. Source: Shafahi et
    al., NeurIPS 2019 (arXiv:1904.12843), algorithm 1.
    """

    name: ClassVar[str] = "free"
    references: ClassVar[tuple[str, ...]] = ("shafahi2019free",)
    label: ClassVar[str] = "free adversarial"
    reads: ClassVar[frozenset[str] | None] = frozenset({"eps", "free_replays", "free_alpha"})

    def __init__(self, settings: MethodOptions, model: nn.Module, logits: Callable[[Tensor], Tensor]) -> None:
        super().__init__(settings, model, logits)
        self.delta: Tensor | None = None  # δ of this process's images of the batch
        self.parts: list[Tensor] = []  # δ of each part of the batch in the current step

    @classmethod
    def walk(cls, settings: MethodOptions) -> Walk:
        return settings.free_replays, settings.free_alpha * settings.eps

    @classmethod
    def replays(cls, settings: MethodOptions) -> int:
        return settings.free_replays

    def draw(self, x: Tensor, generator: torch.Generator, shard: BatchShard | None) -> Tensor:
        if self.delta is None:
            self.delta = torch.zeros_like(x)
        return self.delta  # always the same memory: `after` changes it for the next step

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        part = start.detach().requires_grad_(True)
        self.parts.append(part)
        return (x + part).clamp(0, 1)

    @torch.no_grad()
    def after(self) -> None:
        eps = self.settings.eps
        for part in self.parts:
            assert part.grad is not None
            part.add_(self.settings.free_alpha * eps * part.grad.sign()).clamp_(-eps, eps)
        self.parts = []

    def state_dict(self) -> State:
        return {"delta": None if self.delta is None else self.delta.cpu()}

    def load_state_dict(self, state: State) -> None:
        delta = state["delta"]
        self.delta = delta if delta is None else delta.to(next(self.model.parameters()).device)
