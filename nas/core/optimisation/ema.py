"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.core.io.checkpoint import State


class ModelEMA:
    """w̄ ← d·w̄ + (1 - d)·w after every optimiser step, d = min(decay, (1 + t)/(10 + t)) at step t.

    The bound on d keeps the random initial weights from dominating short trainings. The running statistics of batch
    normalisation are averaged like weights; their counters, which are not floats, are copied. Source of the bound:
    TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.current = model.state_dict()  # the model's own tensors
        self.average = {name: value.clone() for name, value in self.current.items()}
        floats = [name for name, value in self.current.items() if value.is_floating_point()]
        self._floats = [self.average[name] for name in floats], [self.current[name] for name in floats]

    @torch.no_grad()
    def update(self) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = self._floats
        torch._foreach_lerp_(averages, values, 1 - decay)
        for name, value in self.current.items():
            if not value.is_floating_point():
                self.average[name].copy_(value)
        self.updates += 1

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Give the model the averaged weights during the block, and its own weights again afterwards."""
        own = {name: value.clone() for name, value in self.current.items()}
        self._put(self.average)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self.current[name].copy_(value)

    def state_dict(self) -> State:
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state: State) -> None:
        self.updates = state["updates"]
        for name, value in state["average"].items():
            self.average[name].copy_(value)
