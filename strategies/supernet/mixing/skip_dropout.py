"""Dropout on the skip connections of a supernet, so that they do not win only because they learn first.

Source: Chen et al., Progressive Differentiable Architecture Search, ICCV 2019 (arXiv:1904.12760), section 3.3, and its
release.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

DECAY = 0.2  # of the rate per epoch in which α learns: exp(-0.2·epochs)


def decayed_rate(first: float, epoch: int, epochs: int, warm_up: int) -> float:
    """The rate of an epoch, counted from 0: it falls linearly in the warm-up, then from `first` again by exp(-0.2)."""
    if epoch >= warm_up:
        return first * math.exp(-DECAY * (epoch - warm_up))
    return first * (epochs - epoch - 1) / epochs


class SkipDropout:
    """Drops elements of the output of skip connections at a rate, and divides the others by 1 - rate.

    All passes of a step drop the same elements: equal images have equal logits, so their disagreement is 0.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        self.rate, self.generator = rate, generator
        self.begin_step()

    def begin_step(self) -> None:
        """Drop other elements from now on."""
        self.state = self.generator.get_state()

    def __call__(self) -> Callable[[Tensor], Tensor]:
        """What a pass does to the output of each skip connection in turn."""
        self.generator.set_state(self.state)
        return self.drop

    def drop(self, output: Tensor) -> Tensor:
        kept = torch.empty_like(output).bernoulli_(1 - self.rate, generator=self.generator)
        return output * kept / (1 - self.rate)
