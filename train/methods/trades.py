"""TRADES: a loss that trades accuracy for robustness."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from nas.core.optimisation.attack_steps import Walk, eval_mode, normal_noise
from nas.core.optimisation.shards import BatchShard
from nas.train.methods.base import Criterion, Method, MethodOptions, Outputs

START_DEVIATION = 0.001  # of the noise with which the attack starts; at x itself the gradient of the divergence is 0


def divergence(logits: Tensor, clean: Tensor) -> Tensor:
    """Σ KL(softmax(clean) ‖ softmax(logits)) over the images."""
    return F.kl_div(logits.log_softmax(1), clean.log_softmax(1), reduction="sum", log_target=True)


class TRADES(Method):
    """adversarial: TRADES, cross-entropy on clean images plus train.trades_beta times the divergence under attack

    min CE(m(x), y) + β·KL(m(x) ‖ m(x')), where x' maximises the divergence: train.steps steps of train.step_size
    from x + 0.001·N(0, 1), the network in eval mode. Both terms are means over the batch, and both passes of the
    weight step are in train mode. Source: Zhang et al., ICML 2019 (arXiv:1901.08573), algorithm 1 and eq. 5.
    """

    name: ClassVar[str] = "trades"
    references: ClassVar[tuple[str, ...]] = ("zhang2019trades",)
    label: ClassVar[str] = "TRADES"
    forwards: ClassVar[int] = 2
    reads: ClassVar[frozenset[str] | None] = frozenset({"eps", "step_size", "steps", "trades_beta"})

    @classmethod
    def passes(cls, settings: MethodOptions) -> int:
        return settings.steps

    @classmethod
    def walk(cls, settings: MethodOptions) -> Walk:
        return settings.steps, settings.step_size

    def draw(self, x: Tensor, generator: torch.Generator, shard: BatchShard | None) -> Tensor:
        return normal_noise(x, START_DEVIATION, generator, shard)

    def examples(self, x: Tensor, y: Tensor, start: Tensor) -> Tensor:
        with eval_mode(self.model), torch.no_grad():
            clean = self.logits(x).float()
        return self.attacked(
            lambda z: divergence(self.logits(z).float(), clean),
            x,
            start,
            self.settings.step_size,
            self.settings.steps,
        )

    def inputs(self, x: Tensor, examples: Tensor) -> tuple[Tensor, ...]:
        return x, examples

    def loss(self, outputs: Outputs, y: Tensor, criterion: Criterion) -> Tensor:
        (clean, _), (attacked, _) = outputs
        disagreement = divergence(attacked.float(), clean.float()) / len(y)
        return criterion(outputs[0], y) + self.settings.trades_beta * disagreement
