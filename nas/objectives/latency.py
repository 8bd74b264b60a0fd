"""The objective `latency`: the time of a forward pass on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from nas.core.errors import InputError
from nas.core.optimisation.attack_steps import eval_mode
from nas.core.seeds import seeded
from nas.objectives.network_spec import NetworkSpec


@dataclass
class LatencySettings:
    """How latency is measured: the median of `repeats` forward passes in eval mode, with the run's device and threads.

    It is measured once per class and run.
    """

    batch_size: int = 1  # images per pass
    repeats: int = 20  # passes of which the median is taken
    warm_up: int = 3  # passes before those that count

    def check(self) -> None:
        """Raises InputError if a value is out of its range."""
        for key, low in (("batch_size", 1), ("repeats", 1), ("warm_up", 0)):
            if not low <= getattr(self, key) <= 100_000:
                raise InputError(f"Expected latency.{key} between {low} and 100000 but got {getattr(self, key)}.")


class Latency:
    """Milliseconds of one forward pass of the network that would be trained; lower is better.

    Measure only while nothing else of the run computes: in the process of the search, not in its workers.
    """

    def __init__(self, settings: LatencySettings, trained: NetworkSpec, device: torch.device, threads: int) -> None:
        self.settings = settings
        self.trained = trained
        self.device = device
        self.threads = threads

    def __call__(self, text: str) -> float:
        with seeded(0):
            network = self.trained.build(self.trained.space.parse(text))
            size = self.trained.image_size
            x = torch.rand(self.settings.batch_size, 3, size, size)
        network.to(self.device).to(memory_format=torch.channels_last)
        x = x.to(self.device).contiguous(memory_format=torch.channels_last)
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.no_grad(), eval_mode(network):
                times = [self._pass(network, x) for _ in range(self.settings.warm_up + self.settings.repeats)]
        finally:
            torch.set_num_threads(before)
        return 1000 * median(times[self.settings.warm_up :])

    def _pass(self, network: Any, x: torch.Tensor) -> float:
        start = time.perf_counter()
        network(x)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - start
