"""What a run will cost, from a few seconds of measurements on this machine; nothing is written."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.core.data import Dataset
from nas.core.images import unit_range
from nas.core.io.records import Json
from nas.core.optimisation.attack_steps import eval_mode, input_gradient
from nas.runs.stages.context import Worker
from nas.settings.schema import Settings
from nas.strategies.supernet import SUPERNET_STRATEGIES

SURVIVORS = {"standard": 0.05, "adversarial": 0.6}  # assumed share of images that are correct after an attack


@dataclass(frozen=True)
class Cost:
    """The cost of a stage: seconds, and passes (F+B: forward and backward of one image)."""

    seconds: float
    passes: float


@dataclass(frozen=True)
class Speed:
    """Seconds of one training step and of one attack step (input gradient, eval mode) on a batch of images."""

    step: float
    attack_step: float  # 0 without attacks
    batch: int  # images


@dataclass(frozen=True)
class Forecast:
    """The cost of a whole run, or of `seeds` runs one after the other.

    An attack on an image stops at its first success. The share of images that are attacked to the end is assumed, and
    the assumption is printed.
    """

    command: str
    seeds: int
    stages: dict[str, Cost]
    workers: int
    memory_mb: float  # of one process
    published_search: str | None = None  # what the paper's search cost, in words with its source

    def to_json(self) -> Json:
        seconds = {name: cost.seconds * self.seeds for name, cost in self.stages.items()}
        return {
            "command": self.command,
            "seeds": self.seeds,
            "seconds": {name: round(value, 1) for name, value in seconds.items()}
            | {"total": round(sum(seconds.values()), 1)},
            "image_passes": {name: round(cost.passes * self.seeds) for name, cost in self.stages.items()},
            "workers": self.workers,
            "memory_mb_per_process": round(self.memory_mb),
            "assumed_survivors": SURVIVORS,
        } | ({} if self.published_search is None else {"published_search": self.published_search})


def forecast(command: str, settings: Settings, costs: Callable[[Worker], dict[str, Cost]]) -> Forecast:
    """The forecast of a command, whose stages `costs` measures."""
    torch.set_num_threads(settings.executor.threads)
    stages = costs(Worker(settings, None, keep=False))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    supernet = SUPERNET_STRATEGIES.components.get(settings.strategy.name)
    published = None if supernet is None or "search" not in stages else supernet.published_cost
    return Forecast(command, settings.seeds, stages, workers_of(settings), memory, published)


def workers_of(settings: Settings) -> int:
    return settings.executor.processes(settings.torch_device().type)


def network_of(worker: Worker, arch: str) -> nn.Module:
    """The network that the settings train."""
    return worker.trained.build(worker.trained.space.parse(arch))


def measure_speed(settings: Settings, dataset: Dataset, network: nn.Module, attacks: bool = True) -> Speed:
    """The speed of training the network and, if `attacks`, of attacking it; then its logits must depend on images."""
    network.to(settings.torch_device()).to(memory_format=torch.channels_last)
    part = dataset.example
    batch = min(settings.train.batch_size, len(part))
    x = unit_range(part.images[:batch]).to(settings.torch_device())
    y = part.labels[:batch].to(settings.torch_device())
    step = median_seconds(lambda: _train_step(network, x, y), 3)
    if not attacks:
        return Speed(step, 0.0, batch)
    with eval_mode(network.requires_grad_(False)):
        return Speed(
            step, median_seconds(lambda: input_gradient(lambda z: F.cross_entropy(network(z), y), x), 3), batch
        )


def _train_step(network: nn.Module, x: Tensor, y: Tensor) -> None:
    network.zero_grad()
    F.cross_entropy(network(x), y).backward()


def median_seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Median seconds of `work` after one call to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return median(times)


def makespan(tasks: list[float], workers: int) -> float:
    """Seconds that `workers` need for independent `tasks`, given in seconds, if the longest ones start first."""
    ends = [0.0] * workers
    for seconds in sorted(tasks, reverse=True):
        ends[ends.index(min(ends))] += seconds
    return max(ends)


def start_up_seconds(workers: int) -> float:
    """Seconds until worker processes have started: the time that a new interpreter takes to import the project."""
    if workers == 1:
        return 0.0
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import nas.runs.stages.eval_stage"], check=False)
    return time.perf_counter() - start
